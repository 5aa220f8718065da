/* The Python module: all that is in it. See _native.pyi. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "asgi.h"
#include "helper.h"
#include "learn.h"
#include "lines.h"
#include "packing.h"
#include "request.h"
#include "samplertype.h"
#include "scope.h"
#include "spancalls.h"
#include "wsgi.h"

static PyObject *line(PyObject *module, PyObject *args) {
    (void)module;
    const char *table;
    Py_ssize_t length;
    int first_line, unit;
    if (!PyArg_ParseTuple(args, "y#ii", &table, &length, &first_line, &unit)) return NULL;
    return PyLong_FromLong(line_of((const uint8_t *)table, (size_t)length, first_line, unit));
}

static PyMethodDef functions[] = {
    {"line_of", line, METH_VARARGS, "The line of an instruction, from a location table."},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module) {
    SpanState *spans = PyModule_GetState(module);
    if (samplertype_add(module) || helper_add(module) || learn_add(module) ||
        PyModule_AddFunctions(module, span_functions) < 0 ||
        PyModule_AddFunctions(module, packing_functions) < 0)
        return -1;
    spans->queue = spanqueue_add(module);
    if (!spans->queue || spantype_add(module) || scope_add(module, spans)) return -1;
    return request_add(module, spans) || asgi_add(module, spans) || wsgi_add(module, spans) ? -1 : 0;
}

static int traverse_module(PyObject *module, visitproc visit, void *arg) {
    SpanState *spans = PyModule_GetState(module);
    return spans ? span_state_traverse(spans, visit, arg) : 0;
}

static int clear_module(PyObject *module) {
    SpanState *spans = PyModule_GetState(module);
    if (spans) span_state_clear(spans);
    return 0;
}

static void free_module(void *module) {
    SpanState *spans = PyModule_GetState(module);
    if (spans) span_state_free(spans);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill_module},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The native engine: see docs/how-sampling-works.md.",
    .m_size = sizeof(SpanState),
    .m_methods = functions,
    .m_slots = module_slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
