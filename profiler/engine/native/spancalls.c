#include "spancalls.h"

#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "outcomes.h"
#include "request.h"
#include "scope.h"

/* What a Python function's signature would do, without its price: `count` parameters by name. */
static int take_arguments(const char *function, const char *const *names, int count,
                          PyObject *const *args, Py_ssize_t given, PyObject *words,
                          PyObject **found) {
    if (given > count) {
        PyErr_Format(PyExc_TypeError, "%s() takes from 1 to %d positional arguments but %zd were given",
                     function, count, given);
        return 0;
    }
    for (int i = 0; i < given; i++) found[i] = args[i];
    for (Py_ssize_t k = 0; words && k < PyTuple_GET_SIZE(words); k++) {
        PyObject *word = PyTuple_GET_ITEM(words, k);
        int i = 0;
        while (i < count && PyUnicode_CompareWithASCIIString(word, names[i]) != 0) i++;
        if (i == count || found[i]) {
            PyErr_Format(PyExc_TypeError,
                         i == count ? "%s() got an unexpected keyword argument %R"
                                    : "%s() got multiple values for argument %R",
                         function, word);
            return 0;
        }
        found[i] = args[given + k];
    }
    if (found[0]) return 1;
    PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'", function,
                 names[0]);
    return 0;
}

static SpanState *state_of(PyObject *module) { return PyModule_GetState(module); }

/* A decorator without its brackets gets the function instead of a text. */
static PyObject *scope_of(SpanState *st, const char *function, PyObject *first, SpanWish *wish) {
    if (!st->empty) return PyErr_Format(PyExc_RuntimeError, "import flamespan.profiler first");
    if (!PyUnicode_CheckExact(first) && PyCallable_Check(first))
        return PyObject_CallFunction(st->complain, "s", function);
    if (!wish->name) wish->name = st->empty;
    if (!wish->op) wish->op = st->empty;
    if (!wish->description) wish->description = st->empty;
    return scope_make(st, wish);
}

static PyObject *span(PyObject *module, PyObject *const *args, Py_ssize_t given, PyObject *words) {
    static const char *const names[] = {"op", "description"};
    PyObject *found[2] = {NULL, NULL};
    if (!take_arguments("span", names, 2, args, given, words, found)) return NULL;
    SpanWish wish = {.op = found[0], .description = found[1]};
    return scope_of(state_of(module), "span", found[0], &wish);
}

static PyObject *transaction(PyObject *module, PyObject *const *args, Py_ssize_t given,
                             PyObject *words) {
    static const char *const names[] = {"name", "op", "tags"};
    PyObject *found[3] = {NULL, NULL, NULL};
    if (!take_arguments("transaction", names, 3, args, given, words, found)) return NULL;
    SpanWish wish = {.is_transaction = 1, .name = found[0], .op = found[1], .tags = found[2]};
    if (wish.tags == Py_None) wish.tags = NULL;
    return scope_of(state_of(module), "transaction", found[0], &wish);
}

static int is_span(SpanState *st, PyObject *given) {
    if (st->type && PyType_IsSubtype(Py_TYPE(given), st->type)) return 1;
    PyErr_SetString(PyExc_TypeError, "this is no span");
    return 0;
}

static PyObject *activate(PyObject *module, PyObject *given) {
    SpanState *st = state_of(module);
    if (!is_span(st, given)) return NULL;
    PyObject *token = span_activate(st, (SpanObject *)given, 1);
    return token ? token : Py_NewRef(Py_None);
}

static PyObject *deactivate(PyObject *module, PyObject *args) {
    SpanState *st = state_of(module);
    PyObject *given, *token;
    if (!PyArg_ParseTuple(args, "OO", &given, &token) || !is_span(st, given)) return NULL;
    if (token != Py_None) span_deactivate(st, (SpanObject *)given, token);
    Py_RETURN_NONE;
}

static PyObject *finish(PyObject *module, PyObject *args) {
    SpanState *st = state_of(module);
    PyObject *given, *error;
    if (!PyArg_ParseTuple(args, "OO", &given, &error) || !is_span(st, given)) return NULL;
    span_finish(st, (SpanObject *)given, error);
    Py_RETURN_NONE;
}

static PyObject *reopen(PyObject *module, PyObject *given) {
    if (!is_span(state_of(module), given)) return NULL;
    span_reopen((SpanObject *)given);
    Py_RETURN_NONE;
}

static PyObject *or_null(PyObject *given) { return given == Py_None ? NULL : Py_NewRef(given); }

static PyObject *record_into(PyObject *module, PyObject *args) {
    SpanState *st = state_of(module);
    PyObject *log, *entered, *left, *decide;
    double rate;
    if (!PyArg_ParseTuple(args, "OOOdO", &log, &entered, &left, &rate, &decide)) return NULL;
    if (log != Py_None && !PyType_IsSubtype(Py_TYPE(log), st->queue))
        return PyErr_Format(PyExc_TypeError, "this is no log of spans");
    Py_XSETREF(st->entered, or_null(entered));
    Py_XSETREF(st->left, or_null(left));
    Py_XSETREF(st->decide, or_null(decide));
    st->rate = rate;
    st->random = ((unsigned long long)clock_now_ns() ^ (unsigned long long)getpid() << 32) | 1;
    Py_XSETREF(st->log, (SpanQueue *)or_null(log));
    Py_RETURN_NONE;
}

static PyObject *bind(PyObject *module, PyObject *args) {
    SpanState *st = state_of(module);
    PyObject *type, *nothing, *variable, *wrap, *text, *tag, *complain;
    if (!PyArg_ParseTuple(args, "OOOOOOO", &type, &nothing, &variable, &wrap, &text, &tag, &complain))
        return NULL;
    if (!st->empty) st->empty = PyUnicode_FromString("");
    if (!st->error) st->error = PyUnicode_InternFromString("error");
    if (!st->empty || !st->error) return NULL;
    Py_XSETREF(st->type, (PyTypeObject *)Py_NewRef(type));
    Py_XSETREF(st->nothing, (SpanObject *)Py_NewRef(nothing));
    Py_XSETREF(st->variable, Py_NewRef(variable));
    Py_XSETREF(st->wrap, Py_NewRef(wrap));
    Py_XSETREF(st->text, Py_NewRef(text));
    Py_XSETREF(st->tag, Py_NewRef(tag));
    Py_XSETREF(st->complain, Py_NewRef(complain));
    Py_RETURN_NONE;
}

int span_state_traverse(SpanState *st, visitproc visit, void *arg) {
    Py_VISIT(st->log);
    Py_VISIT(st->type);
    Py_VISIT(st->scope);
    Py_VISIT(st->queue);
    Py_VISIT(st->variable);
    Py_VISIT(st->wrap);
    Py_VISIT(st->text);
    Py_VISIT(st->tag);
    Py_VISIT(st->complain);
    Py_VISIT(st->entered);
    Py_VISIT(st->left);
    Py_VISIT(st->name_task);
    Py_VISIT(st->decide);
    return request_state_traverse(&st->web, visit, arg);
}

/* Only what ends a recording: scopes and spans that are still there need the rest. */
void span_state_clear(SpanState *st) {
    Py_CLEAR(st->log);
    Py_CLEAR(st->entered);
    Py_CLEAR(st->left);
    Py_CLEAR(st->name_task);
    Py_CLEAR(st->decide);
}

void span_state_free(SpanState *st) {
    span_state_clear(st);
    Py_CLEAR(st->type);
    Py_CLEAR(st->scope);
    Py_CLEAR(st->queue);
    Py_CLEAR(st->nothing);
    Py_CLEAR(st->variable);
    Py_CLEAR(st->wrap);
    Py_CLEAR(st->text);
    Py_CLEAR(st->tag);
    Py_CLEAR(st->complain);
    Py_CLEAR(st->empty);
    Py_CLEAR(st->error);
    outcomes_free(st);
    request_state_free(&st->web);
}

PyDoc_STRVAR(span_doc,
"span(op, description='')\n--\n\n"
"A part of the active transaction: ``op`` groups (\"db.query\"), ``description`` tells which.\n\n"
"Outside every transaction it becomes one of its own.");

PyDoc_STRVAR(transaction_doc,
"transaction(name, op='', tags=None)\n--\n\n"
"A unit of work: a request, a job, a command. Context manager and decorator.\n\n"
"Samples taken while it is active belong to it, whichever thread or task runs it. ``name``\n"
"groups equal work (a route, not a URL); ``op`` says what kind (\"http.server\", \"queue.task\").");

PyMethodDef span_functions[] = {
    {"span", (PyCFunction)(void *)span, METH_FASTCALL | METH_KEYWORDS, span_doc},
    {"transaction", (PyCFunction)(void *)transaction, METH_FASTCALL | METH_KEYWORDS,
     transaction_doc},
    {"activate", activate, METH_O, "Make a span the active one here; a token for deactivate()."},
    {"deactivate", deactivate, METH_VARARGS, "Undo activate(span): its span and token."},
    {"finish", finish, METH_VARARGS, "Close a span; with the exception that ended it, or None."},
    {"reopen", reopen, METH_O, "After a fork: queue a span that is open as if it had opened."},
    {"record_into", record_into, METH_VARARGS, "Where spans go that are opened from now on."},
    {"bind", bind, METH_VARARGS, "What is needed of Python, once."},
    {NULL, NULL, 0, NULL},
};
