#include "outcomes.h"

#include <stdint.h>

enum { OUTCOMES_MAX = 4096 };

/* By what is equal: routes need not be the same object each time. */
static PyObject *look_up(SpanState *st, PyObject *prefix, PyObject *route, int code) {
    PyObject *number = PyLong_FromLong(code);
    PyObject *key = number ? PyTuple_Pack(3, prefix, route ? route : Py_None, number) : NULL;
    Py_XDECREF(number);
    if (!key) return NULL;
    PyObject *outcome = Py_XNewRef(PyDict_GetItemWithError(st->web.outcomes, key));
    if (!outcome && !PyErr_Occurred()) {
        outcome = PyObject_Call(st->web.outcome, key, NULL);
        if (PyDict_GET_SIZE(st->web.outcomes) >= OUTCOMES_MAX) PyDict_Clear(st->web.outcomes);
        if (outcome && PyDict_SetItem(st->web.outcomes, key, outcome) < 0) Py_CLEAR(outcome);
    }
    Py_DECREF(key);
    return outcome;
}

static void forget(KnownOutcome *known) {
    KnownOutcome old = *known;
    *known = (KnownOutcome){0};
    Py_XDECREF(old.prefix);
    Py_XDECREF(old.route);
    Py_XDECREF(old.outcome);
}

/* By what is the same: frameworks keep the text of a route, and a reference keeps its address. */
PyObject *outcomes_get(SpanState *st, PyObject *prefix, PyObject *route, int code) {
    uintptr_t mixed = ((uintptr_t)route >> 4) + ((uintptr_t)prefix >> 4) * 7 + (uintptr_t)code * 31;
    KnownOutcome *known = &st->known[(mixed ^ mixed >> 7) % OUTCOMES_KNOWN];
    if (known->outcome && known->route == route && known->prefix == prefix && known->code == code)
        return Py_NewRef(known->outcome);
    PyObject *outcome = look_up(st, prefix, route, code);
    if (!outcome) return NULL;
    forget(known);
    *known = (KnownOutcome){Py_NewRef(prefix), Py_XNewRef(route), Py_NewRef(outcome), code};
    return outcome;
}

void outcomes_free(SpanState *st) {
    for (int i = 0; i < OUTCOMES_KNOWN; i++) forget(&st->known[i]);
}
