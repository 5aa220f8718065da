#include "spantype.h"

#include <stddef.h>
#include <structmember.h>

enum { KEPT_ROOM = 4096 };

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

/* What is on the pile as a list; the pile is empty then. */
static PyObject *pile_take(Pile *pile) {
    Py_ssize_t count = pile->count;
    PyObject *list = PyList_New(count);
    if (!list) return NULL;
    for (Py_ssize_t i = 0; i < count; i++) PyList_SET_ITEM(list, i, pile->items[i]);
    pile->count = 0;
    if (pile->room > KEPT_ROOM) { /* a burst shall not keep memory for ever */
        PyMem_Free(pile->items);
        *pile = (Pile){0};
    }
    return list;
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

/* What is recorded of a span that was opened: model.SpanStart, as `type`. */
static PyObject *start_row(PyTypeObject *type, const SpanObject *span) {
    PyObject *row = type->tp_alloc(type, 7), *name = span->name;
    if (!row) return NULL;
    /* A span outside every transaction is one itself, and has to have a name. */
    if (span->is_root && !PyUnicode_GET_LENGTH(name))
        name = PyUnicode_GET_LENGTH(span->description) ? span->description : span->op;
    PyTuple_SET_ITEM(row, 0, PyLong_FromLongLong(span->id));
    PyTuple_SET_ITEM(row, 1, PyLong_FromLongLong(span->is_root ? 0 : span->parent->id));
    PyTuple_SET_ITEM(row, 2, PyLong_FromUnsignedLongLong(span->thread_ident));
    PyTuple_SET_ITEM(row, 3, Py_NewRef(name));
    PyTuple_SET_ITEM(row, 4, Py_NewRef(span->op));
    PyTuple_SET_ITEM(row, 5, Py_NewRef(span->description));
    PyTuple_SET_ITEM(row, 6, PyLong_FromLongLong(span->start_ns));
    return row;
}

/* Of one that was closed: model.SpanEnd. */
static PyObject *end_row(PyTypeObject *type, const SpanObject *span) {
    PyObject *row = type->tp_alloc(type, 3);
    if (!row) return NULL;
    bool said = span->status && PyUnicode_CheckExact(span->status) &&
                PyUnicode_GET_LENGTH(span->status);
    PyTuple_SET_ITEM(row, 0, PyLong_FromLongLong(span->id));
    PyTuple_SET_ITEM(row, 1, PyLong_FromLongLong(span->end_ns));
    PyTuple_SET_ITEM(row, 2, said ? Py_NewRef(span->status) : PyUnicode_InternFromString("ok"));
    return row;
}

/* Replace the spans of a list by their rows. Steals the list, gives it back. */
static PyObject *rows_of(PyObject *list, PyTypeObject *type,
                         PyObject *(*row_of)(PyTypeObject *, const SpanObject *)) {
    for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list); i++) {
        PyObject *row = row_of(type, (SpanObject *)PyList_GET_ITEM(list, i));
        if (!row || PyErr_Occurred()) {
            Py_XDECREF(row);
            Py_CLEAR(list);
        } else {
            PyList_SetItem(list, i, row);
        }
    }
    return list;
}

static PyObject *take(SpanQueue *self, PyObject *types) {
    PyTypeObject *start, *end;
    if (!PyArg_ParseTuple(types, "O!O!", &PyType_Type, &start, &PyType_Type, &end)) return NULL;
    if (!PyType_IsSubtype(start, &PyTuple_Type) || !PyType_IsSubtype(end, &PyTuple_Type))
        return PyErr_Format(PyExc_TypeError, "rows are tuples");
    self->text = 0;
    /* First the ends: making a list may run other code, and what is closed must be open before. */
    PyObject *closed = rows_of(pile_take(&self->closed), end, end_row);
    PyObject *lost = closed ? pile_take(&self->lost) : NULL;
    PyObject *others = lost ? pile_take(&self->others) : NULL;
    PyObject *opened = others ? rows_of(pile_take(&self->opened), start, start_row) : NULL;
    if (opened) return Py_BuildValue("(NNNN)", opened, closed, others, lost);
    Py_XDECREF(closed);
    Py_XDECREF(lost);
    Py_XDECREF(others);
    return NULL;
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
    {"take", (PyCFunction)take, METH_VARARGS, "Rows of spans opened and closed, other events, ids lost."},
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
