#include "spanrows.h"

#include <stddef.h>
#include <structmember.h>

int pile_add(Pile *pile, PyObject *item) {
    if (pile->count == pile->room) {
        Py_ssize_t room = pile->room ? pile->room * 2 : 64;
        PyObject **items = PyMem_Realloc(pile->items, (size_t)room * sizeof *items);
        if (!items) return 0;
        pile->items = items;
        pile->room = room;
    }
    pile->items[pile->count++] = Py_NewRef(item);
    return 1;
}

static void pile_clear(Pile *pile) {
    Pile old = *pile;
    *pile = (Pile){0};
    for (Py_ssize_t i = 0; i < old.count; i++) Py_DECREF(old.items[i]);
    PyMem_Free(old.items);
}

int spanqueue_has_room(SpanQueue *q) {
    Py_ssize_t events = q->opened.count + q->closed.count + q->others.count;
    if (events < q->max_events && q->open < q->max_open && q->text < q->max_text) return 1;
    q->dropped++;
    return 0;
}

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args, (void)kwargs;
    SpanQueue *self = (SpanQueue *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->max_events = self->max_open = self->max_text = PY_SSIZE_T_MAX;
    self->generation = 1;
    gate_init(&self->gate);
    return (PyObject *)self;
}

static int queue_traverse(SpanQueue *self, visitproc visit, void *arg) {
    Pile *piles[] = {&self->opened, &self->closed, &self->others};
    Py_VISIT(Py_TYPE(self));
    for (size_t i = 0; i < sizeof piles / sizeof *piles; i++)
        for (Py_ssize_t k = 0; k < piles[i]->count; k++) Py_VISIT(piles[i]->items[k]);
    return 0;
}

static int queue_clear(SpanQueue *self) {
    pile_clear(&self->opened);
    pile_clear(&self->closed);
    pile_clear(&self->others);
    pile_clear(&self->lost);
    return 0;
}

static void queue_dealloc(SpanQueue *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    queue_clear(self);
    gate_free(&self->gate);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *put(SpanQueue *self, PyObject *event) {
    return pile_add(&self->others, event) ? Py_NewRef(Py_None) : PyErr_NoMemory();
}

static PyObject *has_room(SpanQueue *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(spanqueue_has_room(self));
}

static PyObject *take(SpanQueue *self, PyObject *args) {
    PyTypeObject *start, *end;
    int whole;
    if (!PyArg_ParseTuple(args, "O!O!p", &PyType_Type, &start, &PyType_Type, &end, &whole))
        return NULL;
    if (!PyType_IsSubtype(start, &PyTuple_Type) || !PyType_IsSubtype(end, &PyTuple_Type))
        return PyErr_Format(PyExc_TypeError, "rows are tuples");
    /* All at once: making an object may run other code, and what is closed must be open before. */
    SpanTaking taking = {self->opened, self->closed, self->others, self->lost, start, end, whole};
    self->opened = self->closed = self->others = self->lost = (Pile){0};
    self->text = 0;
    PyObject *taken = spanrows_of(&taking);
    Pile *piles[] = {&taking.opened, &taking.closed, &taking.others, &taking.lost};
    for (size_t i = 0; i < sizeof piles / sizeof *piles; i++) pile_clear(piles[i]);
    return taken;
}

/* In a child of fork: nothing is queued or open, nobody waits, no lock is held. */
static PyObject *forget(SpanQueue *self, PyObject *unused) {
    (void)unused;
    queue_clear(self);
    self->text = self->open = self->most_open = 0;
    self->dropped = self->unchosen = 0;
    self->generation++;
    gate_init(&self->gate);
    Py_RETURN_NONE;
}

static PyObject *wait_open(SpanQueue *self, PyObject *unused) {
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    gate_wait(&self->gate);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static PyObject *interrupt(SpanQueue *self, PyObject *unused) {
    (void)unused;
    gate_interrupt(&self->gate);
    Py_RETURN_NONE;
}

static PyObject *transactions(SpanQueue *self, void *unused) {
    (void)unused;
    return PyLong_FromLongLong(atomic_load(&self->gate.open));
}

static PyMethodDef methods[] = {
    {"put", (PyCFunction)put, METH_O, "Queue an event that is no span."},
    {"has_room", (PyCFunction)has_room, METH_NOARGS, "Whether another can be taken; else count it."},
    {"take", (PyCFunction)take, METH_VARARGS, "What a spancolumns.Taken consists of."},
    {"forget", (PyCFunction)forget, METH_NOARGS, "Start afresh in a child of fork."},
    {"wait_open", (PyCFunction)wait_open, METH_NOARGS, "Wait until a transaction is open."},
    {"interrupt", (PyCFunction)interrupt, METH_NOARGS, "Make a wait return."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"max_events", T_PYSSIZET, offsetof(SpanQueue, max_events), 0, "queued at once"},
    {"max_open", T_PYSSIZET, offsetof(SpanQueue, max_open), 0, "spans open at once"},
    {"max_text", T_PYSSIZET, offsetof(SpanQueue, max_text), 0, "characters queued at once"},
    {"open", T_PYSSIZET, offsetof(SpanQueue, open), READONLY, "spans that are open"},
    {"most_open", T_PYSSIZET, offsetof(SpanQueue, most_open), READONLY, "that ever were open at once"},
    {"dropped", T_ULONGLONG, offsetof(SpanQueue, dropped), 0, "what there was no room for"},
    {"unchosen", T_ULONGLONG, offsetof(SpanQueue, unchosen), READONLY, "transactions left out"},
    {"ended", T_BOOL, offsetof(SpanQueue, ended), 0, "nobody takes anything any more"},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"transactions", (getter)transactions, NULL, "transactions that are open", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What happened to spans since last asked."},
    {Py_tp_new, queue_new},
    {Py_tp_traverse, queue_traverse},
    {Py_tp_clear, queue_clear},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = SPANQUEUE_NAME,
    .basicsize = sizeof(SpanQueue),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

PyTypeObject *spanqueue_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    if (type && PyModule_AddObjectRef(module, "SpanQueue", type) < 0) Py_CLEAR(type);
    return (PyTypeObject *)type;
}
