#include "request.h"

#include <stddef.h>
#include <structmember.h>

#include "outcomes.h"
#include "routes.h"

int request_traverse(Request *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->token);
    Py_VISIT(self->held);
    Py_VISIT(self->ask);
    return 0;
}

int request_clear(Request *self) {
    Py_CLEAR(self->token);
    Py_CLEAR(self->held);
    Py_CLEAR(self->ask);
    return 0;
}

void request_dealloc(Request *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    type->tp_clear((PyObject *)self);
    Py_CLEAR(self->span);
    Py_CLEAR(self->before);
    Py_CLEAR(self->prefix);
    Py_CLEAR(self->name);
    Py_CLEAR(self->route);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *request_take_error(void) {
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (value && trace) PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

void request_raise(PyObject *error) {
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(error);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(error)), error, PyException_GetTraceback(error));
#endif
}

/* (prefix, name) of a request that begins: borrowed, or NULL with an exception set. */
static PyObject *opening_of(SpanState *st, PyObject *method, int is_websocket) {
    if (is_websocket) return st->web.websocket;
    PyObject *known = PyUnicode_CheckExact(method) ? PyDict_GetItemWithError(st->web.openings, method) : NULL;
    return known || PyErr_Occurred() ? known : st->web.other;
}

/* What a function that chooses may know beside the name: never kept. */
static PyObject *hint_of(SpanState *st, PyObject *prefix, PyObject *path) {
    PyObject *hint = st->decide ? PyObject_CallFunctionObjArgs(st->web.hint, prefix, path, NULL) : NULL;
    if (!hint && PyErr_Occurred()) span_clear_error();
    return hint;
}

int request_begin(Request *self, PyObject *method, PyObject *path, int is_websocket) {
    SpanState *st = self->state;
    PyObject *opening = opening_of(st, method, is_websocket);
    if (!opening) return -1;
    self->prefix = Py_NewRef(PyTuple_GET_ITEM(opening, 0));
    self->name = Py_NewRef(PyTuple_GET_ITEM(opening, 1));
    PyObject *hint = hint_of(st, self->prefix, path);
    SpanWish wish = {.is_transaction = 1, .name = self->name, .op = PyTuple_GET_ITEM(opening, 2),
                     .description = st->empty, .hint = hint};
    self->span = span_begin(st, &wish);
    Py_XDECREF(hint);
    self->done = !self->span->log; /* the recording has ended just now */
    if (self->done) return 0;
    self->before = span_active(st);
    /* Unnamed: the task is the server's, and its name says nothing of the request. */
    self->token = span_activate(st, self->span, 0);
    return 0;
}

int request_hold(Request *self, PyObject *held, PyObject *ask) {
    self->held = Py_NewRef(held);
    if (ask != Py_None) self->ask = Py_NewRef(ask);
    return PyObject_SetItem(held, self->state->web.key, (PyObject *)self);
}

void request_find_route(Request *self) {
    if (self->route || !self->ask || self->ask == Py_None || self->done) return;
    PyObject *route = PyObject_CallOneArg(self->ask, self->held);
    if (!route) span_clear_error(); /* nothing of ours may fail the application */
    else if (PyUnicode_CheckExact(route) && !self->route) self->route = route;
    else Py_DECREF(route);
}

static int is_cancelling(SpanState *st, PyObject *error) {
    return error && PyErr_GivenExceptionMatches(error, st->web.cancelling);
}

static void set_status(Request *self, PyObject *error, PyObject *status, PyObject *usual) {
    SpanState *st = self->state;
    SpanObject *span = self->span;
    if (span->status && PyUnicode_CheckExact(span->status) && PyUnicode_GET_LENGTH(span->status))
        return; /* one that the application has set stays */
    if (is_cancelling(st, error)) status = st->web.cancelled;
    else if (!status) status = error ? st->error : usual;
    Py_XSETREF(span->status, Py_NewRef(status));
}

static void describe(Request *self, PyObject *error, PyObject *status) {
    SpanObject *span = self->span;
    if (error && !self->code && !is_cancelling(self->state, error)) self->code = 500;
    PyObject *outcome = outcomes_get(self->state, self->prefix, self->route, self->code);
    if (!outcome) {
        span_clear_error();
        return;
    }
    PyObject *name = PyTuple_GET_ITEM(outcome, 0);
    set_status(self, error, status, PyTuple_GET_ITEM(outcome, 2));
    /* What the application has called otherwise meanwhile stays so. */
    if (name != Py_None && span->name == self->name) {
        Py_SETREF(span->name, Py_NewRef(name));
        span->renamed = 1;
    }
    Py_XSETREF(span->tags, Py_NewRef(PyTuple_GET_ITEM(outcome, 1)));
    Py_DECREF(outcome);
}

void request_end(Request *self, PyObject *error, PyObject *status) {
    if (self->done) return;
    if (error == Py_None) error = NULL;
    if (status && !PyObject_IsTrue(status)) status = NULL;
    int is_kept = self->span->id > 0 && self->span->log;
    if (is_kept) request_find_route(self);
    if (self->done) return; /* whoever was asked has ended it */
    self->done = 1;
    if (is_kept) describe(self, error, status);
    span_finish(self->state, self->span, error ? error : Py_None);
    request_leave(self);
}

void request_leave(Request *self) {
    if (!self->done || !self->token) return;
    SpanObject *active = span_active(self->state);
    if (active == self->span) {
        PyObject *token = self->token;
        SpanObject *before = self->before;
        self->token = NULL;
        self->before = NULL;
        span_restore(self->state, self->span, token, before);
        Py_DECREF(token);
    }
    Py_XDECREF(active);
}

/* `held` refers to it, and it to `held`: what is over must not wait for the collector. */
void request_let_go(Request *self) {
    request_leave(self);
    PyObject *held = self->held;
    if (!held || !self->done) return;
    self->held = NULL;
    Py_CLEAR(self->ask);
    if (PyObject_DelItem(held, self->state->web.key) < 0) span_clear_error();
    Py_DECREF(held);
}

PyObject *request_call_end(Request *self, PyObject *const *args, Py_ssize_t count) {
    request_end(self, count > 0 ? args[0] : NULL, count > 1 ? args[1] : NULL);
    Py_RETURN_NONE;
}

static PyObject *leave(Request *self, PyObject *unused) {
    (void)unused;
    request_let_go(self);
    Py_RETURN_NONE;
}

static PyObject *request_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"method", "path", NULL};
    PyObject *method, *path = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:Request", names, &method, &path)) return NULL;
    Request *self = (Request *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->state = PyType_GetModuleState(type);
    if (!self->state || request_begin(self, method, path, 0) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *get_route(Request *self, void *unused) {
    (void)unused;
    return Py_NewRef(self->route ? self->route : Py_None);
}

static int set_route(Request *self, PyObject *route, void *unused) {
    (void)unused;
    Py_XSETREF(self->route, route && PyUnicode_CheckExact(route) ? Py_NewRef(route) : NULL);
    return 0;
}

static PyMethodDef methods[] = {
    {"finish", (PyCFunction)(void *)request_call_end, METH_FASTCALL,
     "It is over: with what error, in what status. A second call does nothing."},
    {"leave", (PyCFunction)leave, METH_NOARGS,
     "Let the context that runs be as it was before, if this is over."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"code", T_INT, offsetof(Request, code), 0, "HTTP status; 0: none yet"},
    {"done", T_BOOL, offsetof(Request, done), READONLY, "whether it is over"},
    {"span", T_OBJECT_EX, offsetof(Request, span), READONLY, "its transaction"},
    {"ask", T_OBJECT, offsetof(Request, ask), 0, "gives the route of environ or scope, or None"},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"route", (getter)get_route, (setter)set_route, "a template, as \"/users/{id}\"", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A request from its first line of code until its body has been sent."},
    {Py_tp_new, request_new},
    {Py_tp_traverse, request_traverse},
    {Py_tp_clear, request_clear},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flamespan.profiler.engine._native.Request",
    .basicsize = sizeof(Request),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

/* Everything in it is a reference. */
static void web_state_each(WebState *web, void (*act)(PyObject **)) {
    PyObject **refs = (PyObject **)web;
    for (size_t i = 0; i < sizeof *web / sizeof *refs; i++) act(&refs[i]);
}

static void let_go(PyObject **ref) { Py_CLEAR(*ref); }

void request_state_free(WebState *web) { web_state_each(web, let_go); }

int request_state_traverse(WebState *web, visitproc visit, void *arg) {
    PyObject **refs = (PyObject **)web;
    for (size_t i = 0; i < sizeof *web / sizeof *refs; i++) Py_VISIT(refs[i]);
    return 0;
}

static PyObject *bind_requests(PyObject *module, PyObject *args) {
    WebState *web = &((SpanState *)PyModule_GetState(module))->web;
    PyObject *given[8];
    if (!PyArg_ParseTuple(args, "OO!O!O!OOOO", &given[0], &PyDict_Type, &given[1], &PyTuple_Type,
                          &given[2], &PyTuple_Type, &given[3], &given[4], &given[5], &given[6],
                          &given[7]))
        return NULL;
    PyObject **kept[] = {&web->key,  &web->openings, &web->websocket,  &web->other,
                         &web->hint, &web->outcome,  &web->cancelling, &web->cancelled};
    for (int i = 0; i < 8; i++) Py_XSETREF(*kept[i], Py_NewRef(given[i]));
    Py_XSETREF(web->outcomes, PyDict_New());
    return web->outcomes ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef functions[] = {
    {"bind_requests", bind_requests, METH_VARARGS, "What is needed of Python, once."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject *request_subtype(PyObject *module, PyType_Spec *subtype) {
    SpanState *st = PyModule_GetState(module);
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, subtype, st->web.request);
}

int request_add(PyObject *module, SpanState *st) {
    st->web.request = PyType_FromModuleAndSpec(module, &spec, NULL);
    if (!st->web.request || PyModule_AddObjectRef(module, "Request", st->web.request) < 0) return -1;
    return routes_add(module) < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
