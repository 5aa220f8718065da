#include "spanrows.h"

#include <stdbool.h>
#include <string.h>

/* A server has thousands of requests between two takes: no object is made for each of them, but
 * for spans that stay open. */

static SpanObject *span_at(const Pile *pile, Py_ssize_t i) { return (SpanObject *)pile->items[i]; }

/* A span outside every transaction is one itself, and has to have a name. */
static PyObject *name_of(const SpanObject *span) {
    if (!span->is_root || PyUnicode_GET_LENGTH(span->name)) return span->name;
    return PyUnicode_GET_LENGTH(span->description) ? span->description : span->op;
}

static long long parent_of(const SpanObject *span) { return span->is_root ? 0 : span->parent->id; }

static PyObject *status_of(const SpanObject *span, PyObject *ok) {
    bool said = span->status && PyUnicode_CheckExact(span->status) &&
                PyUnicode_GET_LENGTH(span->status);
    return said ? span->status : ok;
}

static PyObject *start_row(PyTypeObject *type, const SpanObject *span) {
    PyObject *row = type->tp_alloc(type, 7);
    if (!row) return NULL;
    PyTuple_SET_ITEM(row, 0, PyLong_FromLongLong(span->id));
    PyTuple_SET_ITEM(row, 1, PyLong_FromLongLong(parent_of(span)));
    PyTuple_SET_ITEM(row, 2, PyLong_FromUnsignedLongLong(span->thread_ident));
    PyTuple_SET_ITEM(row, 3, Py_NewRef(name_of(span)));
    PyTuple_SET_ITEM(row, 4, Py_NewRef(span->op));
    PyTuple_SET_ITEM(row, 5, Py_NewRef(span->description));
    PyTuple_SET_ITEM(row, 6, PyLong_FromLongLong(span->start_ns));
    return row;
}

static PyObject *end_row(PyTypeObject *type, const SpanObject *span, PyObject *ok) {
    PyObject *row = type->tp_alloc(type, 3);
    if (!row) return NULL;
    PyTuple_SET_ITEM(row, 0, PyLong_FromLongLong(span->id));
    PyTuple_SET_ITEM(row, 1, PyLong_FromLongLong(span->end_ns));
    PyTuple_SET_ITEM(row, 2, Py_NewRef(status_of(span, ok)));
    return row;
}

/* Append an item and let go of it. False with an exception set on failure. */
static bool append(PyObject *list, PyObject *item) {
    bool done = item && !PyErr_Occurred() && PyList_Append(list, item) == 0;
    Py_XDECREF(item);
    return done;
}

/* Columns of `count` rows: 64-bit numbers as bytes ('q'), texts as lists ('s'). */
static PyObject *table(const char *kinds, Py_ssize_t count) {
    Py_ssize_t width = (Py_ssize_t)strlen(kinds);
    PyObject *made = PyTuple_New(width);
    for (Py_ssize_t i = 0; made && i < width; i++) {
        PyObject *column = kinds[i] == 's' ? PyList_New(count)
                                           : PyBytes_FromStringAndSize(NULL, count * 8);
        if (column) PyTuple_SET_ITEM(made, i, column);
        else Py_CLEAR(made);
    }
    return made;
}

static void set_number(PyObject *table, Py_ssize_t column, Py_ssize_t row, long long value) {
    memcpy(PyBytes_AS_STRING(PyTuple_GET_ITEM(table, column)) + row * 8, &value, 8);
}

static void set_text(PyObject *table, Py_ssize_t column, Py_ssize_t row, PyObject *text) {
    PyList_SET_ITEM(PyTuple_GET_ITEM(table, column), row, Py_NewRef(text));
}

static void set_start(PyObject *table, Py_ssize_t row, const SpanObject *span) {
    set_number(table, 0, row, span->id);
    set_number(table, 1, row, parent_of(span));
    set_number(table, 2, row, (long long)span->thread_ident);
    set_text(table, 3, row, name_of(span));
    set_text(table, 4, row, span->op);
    set_text(table, 5, row, span->description);
    set_number(table, 6, row, span->start_ns);
}

static bool is_told_anew(const SpanObject *span) { return span->told && span->renamed; }

/* Starts of all that were opened; then of those that are called otherwise than was told. */
static PyObject *started(const Pile *opened, const Pile *closed) {
    Py_ssize_t rows = opened->count;
    for (Py_ssize_t i = 0; i < closed->count; i++) rows += is_told_anew(span_at(closed, i));
    PyObject *made = table("qqqsssq", rows);
    if (!made) return NULL;
    for (Py_ssize_t i = 0; i < opened->count; i++) set_start(made, i, span_at(opened, i));
    rows = opened->count;
    for (Py_ssize_t i = 0; i < closed->count; i++)
        if (is_told_anew(span_at(closed, i))) set_start(made, rows++, span_at(closed, i));
    return made;
}

static PyObject *ended(const Pile *closed, PyObject *ok) {
    PyObject *made = table("qqs", closed->count);
    for (Py_ssize_t i = 0; made && i < closed->count; i++) {
        const SpanObject *span = span_at(closed, i);
        set_number(made, 0, i, span->id);
        set_number(made, 1, i, span->end_ns);
        set_text(made, 2, i, status_of(span, ok));
    }
    return made;
}

/* How many tags of a span are well-formed; it is our own code that makes them. */
static Py_ssize_t tags_of(const SpanObject *span) {
    if (!span->tags || !PyTuple_CheckExact(span->tags)) return 0;
    Py_ssize_t count = PyTuple_GET_SIZE(span->tags), good = 0;
    while (good < count) {
        PyObject *tag = PyTuple_GET_ITEM(span->tags, good);
        if (!PyTuple_CheckExact(tag) || PyTuple_GET_SIZE(tag) != 2) break;
        good++;
    }
    return good;
}

static PyObject *tags(const Pile *closed) {
    Py_ssize_t rows = 0;
    for (Py_ssize_t i = 0; i < closed->count; i++) rows += tags_of(span_at(closed, i));
    PyObject *made = table("qss", rows);
    rows = 0;
    for (Py_ssize_t i = 0; made && i < closed->count; i++) {
        const SpanObject *span = span_at(closed, i);
        for (Py_ssize_t k = 0, count = tags_of(span); k < count; k++, rows++) {
            PyObject *tag = PyTuple_GET_ITEM(span->tags, k);
            set_number(made, 0, rows, span->id);
            set_text(made, 1, rows, PyTuple_GET_ITEM(tag, 0));
            set_text(made, 2, rows, PyTuple_GET_ITEM(tag, 1));
        }
    }
    return made;
}

/* Rows of starts: of the spans of a pile that are open, or of all. */
static PyObject *starts_of(const SpanTaking *t, const Pile *pile, bool all) {
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < pile->count; i++) {
        const SpanObject *span = span_at(pile, i);
        if ((all || !span->over) && !append(list, start_row(t->start, span))) Py_CLEAR(list);
    }
    return list;
}

static PyObject *told_before(const Pile *closed) {
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < closed->count; i++) {
        const SpanObject *span = span_at(closed, i);
        if (span->told && !append(list, PyLong_FromLongLong(span->id))) Py_CLEAR(list);
    }
    return list;
}

static PyObject *ends_of(const SpanTaking *t, PyObject *ok) {
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < t->closed.count; i++)
        if (!append(list, end_row(t->end, span_at(&t->closed, i), ok))) Py_CLEAR(list);
    return list;
}

static PyObject *list_of(const Pile *pile) {
    PyObject *list = PyList_New(pile->count);
    for (Py_ssize_t i = 0; list && i < pile->count; i++)
        PyList_SET_ITEM(list, i, Py_NewRef(pile->items[i]));
    return list;
}

PyObject *spanrows_of(const SpanTaking *t) {
    /* Before anything is made, since that may run code that closes what is open still. */
    for (Py_ssize_t i = 0; i < t->closed.count; i++) span_at(&t->closed, i)->over = 1;
    for (Py_ssize_t i = 0; i < t->opened.count; i++)
        span_at(&t->opened, i)->told = !span_at(&t->opened, i)->over;
    PyObject *ok = PyUnicode_FromString("ok");
    PyObject *parts[9] = {
        started(&t->opened, &t->closed),
        ok ? ended(&t->closed, ok) : NULL,
        tags(&t->closed),
        starts_of(t, &t->opened, false),
        told_before(&t->closed),
        t->whole ? starts_of(t, &t->closed, true) : PyList_New(0),
        ok && t->whole ? ends_of(t, ok) : PyList_New(0),
        list_of(&t->others),
        list_of(&t->lost),
    };
    Py_XDECREF(ok);
    PyObject *taken = PyErr_Occurred() ? NULL : PyTuple_New(9);
    for (int i = 0; i < 9; i++) {
        if (taken) PyTuple_SET_ITEM(taken, i, parts[i]);
        else Py_XDECREF(parts[i]);
    }
    return taken;
}
