#include "spantype.h"

#include <stddef.h>
#include <structmember.h>

#include "context.h"
#include "strands.h"

_Static_assert(offsetof(SpanObject, parent) == SPAN_CORE_OFFSET + offsetof(SpanCore, parent),
               "what is read from outside must lie where it is read");
_Static_assert(offsetof(SpanObject, strand) == SPAN_CORE_OFFSET + offsetof(SpanCore, strand),
               "what is read from outside must lie where it is read");

_Static_assert(offsetof(SpanObject, start_ns) == SPAN_CORE_OFFSET + offsetof(SpanLife, start_ns),
               "what is read from outside must lie where it is read");
_Static_assert(offsetof(SpanObject, thread_ident) ==
                   SPAN_CORE_OFFSET + offsetof(SpanLife, thread_ident),
               "what is read from outside must lie where it is read");

/* One made by hand is in no log: spans.c makes those that are recorded. */
static PyObject *span_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)kwargs;
    long long id;
    PyObject *parent = Py_None;
    if (!PyArg_ParseTuple(args, "L|O", &id, &parent)) return NULL;
    if (parent != Py_None && !PyType_IsSubtype(Py_TYPE(parent), type))
        return PyErr_Format(PyExc_TypeError, "the parent of a span must be a span");
    SpanObject *self = (SpanObject *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->magic = SPAN_MAGIC;
    self->id = id;
    self->is_root = parent == Py_None;
    if (parent != Py_None) self->parent = (SpanObject *)Py_NewRef(parent);
    self->name = PyUnicode_FromString("");
    self->op = Py_XNewRef(self->name);
    self->description = Py_XNewRef(self->name);
    self->status = Py_XNewRef(self->name);
    return (PyObject *)self;
}

/* Never closed, and now nobody can: let the log know, so that it waits no longer. */
static void abandon(SpanObject *self) {
    SpanQueue *log = self->log;
    if (self->counted != log->generation) return;
    log->open--;
    if (self->is_root) gate_leave(&log->gate);
    if (log->ended) return;
    PyObject *id = PyLong_FromLongLong(self->id);
    if (!id || !pile_add(&log->lost, id)) PyErr_Clear();
    Py_XDECREF(id);
}

/* Spans refer to what is older and to texts, so they make no cycles and need no collector. */
static void span_dealloc(SpanObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->counted) abandon(self);
    if (self->is_root) strands_close(self->strand);
    self->magic = 0;
    SpanObject *parent = self->parent;
    self->parent = NULL;
    Py_CLEAR(self->name);
    Py_CLEAR(self->op);
    Py_CLEAR(self->description);
    Py_CLEAR(self->status);
    Py_CLEAR(self->tags);
    Py_CLEAR(self->log);
    type->tp_free(self);
    Py_DECREF(type);
    /* A step at a time, since a recursion as deep as spans are nested ends in a crash. */
    while (parent && Py_REFCNT(parent) == 1) {
        SpanObject *next = parent->parent;
        parent->parent = NULL;
        Py_DECREF(parent);
        parent = next;
    }
    Py_XDECREF(parent);
}

/* What is not recorded has a number for the sampler, but none for anybody else. */
static PyObject *span_id(SpanObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLongLong(self->id > 0 ? self->id : 0);
}

static PyMemberDef members[] = {
    {"parent", T_OBJECT, offsetof(SpanObject, parent), READONLY, "the span around this one, or None"},
    {"log", T_OBJECT, offsetof(SpanObject, log), READONLY, "where it is recorded, or None"},
    {"is_root", T_BOOL, offsetof(SpanObject, is_root), READONLY, "whether it is a transaction"},
    {"end_ns", T_LONGLONG, offsetof(SpanObject, end_ns), 0, "monotonic; 0 while it is open"},
    {"start_ns", T_LONGLONG, offsetof(SpanObject, start_ns), READONLY, "monotonic"},
    {"thread_ident", T_ULONGLONG, offsetof(SpanObject, thread_ident), READONLY, "who opened it"},
    {"name", T_OBJECT, offsetof(SpanObject, name), 0, "of a transaction; else empty"},
    {"op", T_OBJECT, offsetof(SpanObject, op), 0, "what kind of work it is"},
    {"description", T_OBJECT, offsetof(SpanObject, description), 0, "which of that kind"},
    {"status", T_OBJECT, offsetof(SpanObject, status), 0, "what it ends with, if not ok or error"},
    {"tags", T_OBJECT, offsetof(SpanObject, tags), 0, "set as it is closed"},
    {"renamed", T_BOOL, offsetof(SpanObject, renamed), 0, "to be told anew as it is closed"},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"id", (getter)span_id, NULL, "what samples carry; 0: it is not recorded", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What the sampler reads of a span, and what the recorder does."},
    {Py_tp_new, span_new},
    {Py_tp_dealloc, span_dealloc},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flamespan.profiler.engine._native.SpanCore",
    .basicsize = sizeof(SpanObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

int spantype_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "SpanCore", type);
    Py_DECREF(type);
    return failed;
}
