#include "routes.h"

#include "spans.h"

/* held[key].name.name…: a text, or None where one of them is. A new reference. NULL without an
 * exception, or with one: it is not to be had so. */
static PyObject *follow(PyObject *held, PyObject *key, PyObject *names) {
    PyObject *at = Py_XNewRef(PyDict_GetItemWithError(held, key));
    for (Py_ssize_t i = 0; at && at != Py_None && i < PyTuple_GET_SIZE(names); i++)
        Py_SETREF(at, PyObject_GetAttr(at, PyTuple_GET_ITEM(names, i)));
    if (at && at != Py_None && !PyUnicode_CheckExact(at)) Py_CLEAR(at);
    return at;
}

static int has_any(PyObject *held, PyObject *keys) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); i++)
        if (PyDict_Contains(held, PyTuple_GET_ITEM(keys, i))) return 1;
    return 0;
}

/* `given`: what route_reader was called with. */
static PyObject *read_route(PyObject *given, PyObject *held) {
    PyObject *route = NULL;
    if (PyDict_Check(held) && !has_any(held, PyTuple_GET_ITEM(given, 3)))
        route = follow(held, PyTuple_GET_ITEM(given, 1), PyTuple_GET_ITEM(given, 2));
    if (route) return route;
    if (PyErr_Occurred()) span_clear_error();
    return PyObject_CallOneArg(PyTuple_GET_ITEM(given, 0), held);
}

static PyMethodDef reader = {"route", read_route, METH_O, "The route of an environ or scope."};

static PyObject *route_reader(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *otherwise, *key, *names, *unless;
    if (!PyArg_ParseTuple(args, "OUO!O!", &otherwise, &key, &PyTuple_Type, &names, &PyTuple_Type,
                          &unless))
        return NULL;
    return PyCFunction_New(&reader, args);
}

static PyMethodDef functions[] = {
    {"route_reader", route_reader, METH_VARARGS, "What reads a route where a framework keeps it."},
    {NULL, NULL, 0, NULL},
};

int routes_add(PyObject *module) { return PyModule_AddFunctions(module, functions); }
