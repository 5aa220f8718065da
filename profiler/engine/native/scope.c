#include "scope.h"

#include <string.h>

/* One entry of a scope that is open; `token` is NULL where there is nothing to undo, `before` where
 * nothing was active. */
typedef struct {
    SpanObject *span, *before;
    PyObject *token;
} Entry;

typedef struct {
    PyObject_HEAD
    SpanState *state; /* of the module, which outlives its types */
    SpanWish wish;
    Entry first, *more; /* one scope may be entered again, and be open in several tasks */
    Py_ssize_t count, room; /* entries; room in `more`, which then holds all of them */
    bool tracked;
} Scope;

static Entry *entries(Scope *self) { return self->more ? self->more : &self->first; }

static int scope_traverse(Scope *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->wish.name);
    Py_VISIT(self->wish.op);
    Py_VISIT(self->wish.description);
    Py_VISIT(self->wish.tags);
    for (Py_ssize_t i = 0; i < self->count; i++) Py_VISIT(entries(self)[i].token);
    return 0;
}

static void let_go(Entry *entry) {
    Py_DECREF(entry->span);
    Py_XDECREF(entry->before);
    Py_XDECREF(entry->token);
}

static int scope_clear(Scope *self) {
    Py_CLEAR(self->wish.name);
    Py_CLEAR(self->wish.op);
    Py_CLEAR(self->wish.description);
    Py_CLEAR(self->wish.tags);
    while (self->count) {
        Entry last = entries(self)[--self->count];
        let_go(&last);
    }
    return 0;
}

static void scope_dealloc(Scope *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->tracked) PyObject_GC_UnTrack(self);
    scope_clear(self);
    PyMem_Free(self->more);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* Only what may be part of a cycle is the collector's business. */
static void track(Scope *self) {
    if (self->tracked) return;
    self->tracked = true;
    PyObject_GC_Track(self);
}

/* Takes no reference that it does not add. */
PyObject *scope_make(SpanState *st, const SpanWish *wish) {
    Scope *self = PyObject_GC_New(Scope, st->scope);
    if (!self) return NULL;
    self->state = st;
    self->wish = (SpanWish){wish->is_transaction, Py_NewRef(wish->name), Py_NewRef(wish->op),
                            Py_NewRef(wish->description), Py_XNewRef(wish->tags), NULL};
    self->more = NULL;
    self->count = self->room = 0;
    self->tracked = false;
    if (wish->tags) track(self);
    return (PyObject *)self;
}

/* Steals its references. */
static void push(Scope *self, Entry entry) {
    if (self->count && self->count >= self->room) {
        Py_ssize_t room = self->room ? self->room * 2 : 4;
        Entry *more = PyMem_Realloc(self->more, (size_t)room * sizeof *more);
        if (!more) { /* it stays open, then */
            let_go(&entry);
            return;
        }
        if (!self->more) more[0] = self->first;
        self->more = more;
        self->room = room;
    }
    entries(self)[self->count++] = entry;
    track(self);
}

/* Which entry to close: the one that is active here, or else the last. */
static Entry pop(Scope *self) {
    Entry *all = entries(self);
    Py_ssize_t at = self->count - 1;
    if (at) {
        SpanObject *active = span_active(self->state);
        while (at >= 0 && all[at].span != active) at--;
        if (at < 0) at = self->count - 1;
        Py_XDECREF(active);
    }
    Entry found = all[at];
    memmove(all + at, all + at + 1, (size_t)(self->count - 1 - at) * sizeof *all);
    self->count--;
    return found;
}

static PyObject *scope_enter(Scope *self, PyObject *unused) {
    (void)unused;
    SpanState *st = self->state;
    if (!st->log) return Py_NewRef(st->nothing);
    SpanObject *span = span_begin(st, &self->wish);
    if (span == st->nothing) {
        /* What closes it must find that there is nothing to close. */
        SpanObject *active = span_active(st);
        push(self, (Entry){active ? active : (SpanObject *)Py_NewRef(span), NULL, NULL});
        return (PyObject *)span;
    }
    SpanObject *before = span_active(st);
    PyObject *token = span_activate(st, span, 1);
    push(self, (Entry){(SpanObject *)Py_NewRef(span), before, token});
    return (PyObject *)span;
}

static PyObject *scope_exit(Scope *self, PyObject *const *args, Py_ssize_t count) {
    if (!self->count) Py_RETURN_NONE;
    Entry entry = pop(self);
    if (entry.token) {
        span_finish(self->state, entry.span, count > 1 ? args[1] : Py_None);
        span_deactivate(self->state, entry.span, entry.token, &entry.before);
    }
    let_go(&entry);
    Py_RETURN_NONE;
}

static PyObject *scope_begin(Scope *self, PyObject *unused) {
    (void)unused;
    return (PyObject *)span_begin(self->state, &self->wish);
}

static PyObject *scope_again(Scope *self, PyObject *unused) {
    (void)unused;
    return scope_make(self->state, &self->wish);
}

static PyObject *scope_call(Scope *self, PyObject *args, PyObject *kwargs) {
    PyObject *function;
    static char *names[] = {"function", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:span", names, &function)) return NULL;
    PyObject *again = PyObject_GetAttrString((PyObject *)self, "again");
    if (!again) return NULL;
    PyObject *wrapped = PyObject_CallFunctionObjArgs(self->state->wrap, function, again, NULL);
    Py_DECREF(again);
    return wrapped;
}

static PyMethodDef scope_methods[] = {
    {"__enter__", (PyCFunction)scope_enter, METH_NOARGS, "Open a span and make it the active one."},
    {"__exit__", (PyCFunction)(void *)scope_exit, METH_FASTCALL, "Close it."},
    {"begin", (PyCFunction)scope_begin, METH_NOARGS,
     "Open a span without making it the active one (generators do that step by step)."},
    {"again", (PyCFunction)scope_again, METH_NOARGS,
     "A fresh scope of the same kind, for one call of a decorated function."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot scope_slots[] = {
    {Py_tp_doc, "What transaction() and span() return: a context manager and a decorator.\n\n"
                "As a decorator it opens a span per call, of functions, coroutine functions and\n"
                "(async) generators, and looks for a recording at each call, not when it is made."},
    {Py_tp_traverse, scope_traverse},
    {Py_tp_clear, scope_clear},
    {Py_tp_dealloc, scope_dealloc},
    {Py_tp_methods, scope_methods},
    {Py_tp_call, scope_call},
    {0, NULL},
};

static PyType_Spec scope_spec = {
    .name = "flamespan.profiler.engine._native.Scope",
    .basicsize = sizeof(Scope),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = scope_slots,
};

int scope_add(PyObject *module, SpanState *st) {
    PyObject *type = PyType_FromModuleAndSpec(module, &scope_spec, NULL);
    if (!type) return -1;
    st->scope = (PyTypeObject *)Py_NewRef(type);
    int failed = PyModule_AddObjectRef(module, "Scope", type);
    Py_DECREF(type);
    return failed;
}
