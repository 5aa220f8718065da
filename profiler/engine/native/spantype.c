#include "spantype.h"

#include <stddef.h>
#include <structmember.h>

#include "context.h"

typedef struct {
    PyObject_HEAD
    PyObject *parent;
    long long id;
    long long end_ns;
    unsigned long long magic;
    unsigned long long strand;
} SpanObject;

_Static_assert(offsetof(SpanObject, parent) == SPAN_CORE_OFFSET + offsetof(SpanCore, parent),
               "what is read from outside must lie where it is read");
_Static_assert(offsetof(SpanObject, magic) == SPAN_CORE_OFFSET + offsetof(SpanCore, magic),
               "what is read from outside must lie where it is read");

static PyObject *span_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args, (void)kwargs;
    SpanObject *self = (SpanObject *)type->tp_alloc(type, 0);
    if (self) self->magic = SPAN_MAGIC;
    return (PyObject *)self;
}

static int span_traverse(SpanObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->parent);
    return 0;
}

static int span_clear(SpanObject *self) {
    Py_CLEAR(self->parent);
    return 0;
}

static void span_dealloc(SpanObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    self->magic = 0;
    Py_CLEAR(self->parent);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"parent", T_OBJECT, offsetof(SpanObject, parent), 0, "the span around this one, or None"},
    {"id", T_LONGLONG, offsetof(SpanObject, id), 0, "what samples carry"},
    {"strand", T_ULONGLONG, offsetof(SpanObject, strand), 0, "whose task it belongs to; 0: none"},
    {"end_ns", T_LONGLONG, offsetof(SpanObject, end_ns), 0, "monotonic; 0 while it is open"},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What the sampler reads of a span."},
    {Py_tp_new, span_new},
    {Py_tp_traverse, span_traverse},
    {Py_tp_clear, span_clear},
    {Py_tp_dealloc, span_dealloc},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flamespan.profiler.engine._native.SpanCore",
    .basicsize = sizeof(SpanObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int spantype_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "SpanCore", type);
    Py_DECREF(type);
    return failed;
}
