#include "packing.h"

#include <stdint.h>
#include <string.h>

static int width_of(uint64_t top) { return top < 1u << 8 ? 1 : top < 1u << 16 ? 2 : top >> 32 ? 8 : 4; }

static uint64_t zigzag(uint64_t difference) {
    return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

/* What turns number `i` of the input into one of the column. */
typedef uint64_t Turn(const void *numbers, Py_ssize_t i);

static uint64_t delta_at(const void *numbers, Py_ssize_t i) {
    uint64_t pair[2];
    memcpy(pair, (const char *)numbers + i * 8, sizeof pair);
    return zigzag(pair[1] - pair[0]);
}

static uint64_t id_at(const void *numbers, Py_ssize_t i) { return ((const uint32_t *)numbers)[i]; }

/* (width, all low bytes, then the next, ...). */
static PyObject *planes_of(Turn *turn, const void *numbers, Py_ssize_t count) {
    uint64_t top = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t number = turn(numbers, i);
        if (number > top) top = number;
    }
    int width = width_of(top);
    PyObject *planes = PyBytes_FromStringAndSize(NULL, count * width);
    if (!planes) return NULL;
    uint8_t *to = (uint8_t *)PyBytes_AS_STRING(planes);
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t number = turn(numbers, i);
        for (int byte = 0; byte < width; byte++) to[byte * count + i] = (uint8_t)(number >> 8 * byte);
    }
    return Py_BuildValue("(iN)", width, planes);
}

static PyObject *delta_planes(PyObject *module, PyObject *given) {
    (void)module;
    Py_buffer view;
    if (PyObject_GetBuffer(given, &view, PyBUF_SIMPLE) < 0) return NULL;
    Py_ssize_t count = view.len / 8;
    PyObject *planes = planes_of(delta_at, view.buf, count ? count - 1 : 0);
    PyBuffer_Release(&view);
    return planes;
}

static PyObject *id_planes(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *ids, *texts, *planes = NULL;
    if (!PyArg_ParseTuple(args, "O!O!", &PyDict_Type, &ids, &PyList_Type, &texts)) return NULL;
    Py_ssize_t count = PyList_GET_SIZE(texts), known = 0;
    uint32_t *numbers = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *numbers);
    if (!numbers) return PyErr_NoMemory();
    for (; known < count; known++) {
        PyObject *text = PyList_GET_ITEM(texts, known);
        if (!PyUnicode_CheckExact(text)) break; /* another's comparison could change the list */
        PyObject *id = PyDict_GetItemWithError(ids, text);
        if (!id) break;
        numbers[known] = (uint32_t)PyLong_AsUnsignedLongMask(id);
    }
    if (known == count) planes = planes_of(id_at, numbers, count);
    else if (!PyErr_Occurred()) planes = Py_NewRef(Py_None);
    PyMem_Free(numbers);
    return planes;
}

PyMethodDef packing_functions[] = {
    {"delta_planes", delta_planes, METH_O, "Differences of 64-bit numbers as columns.py packs them."},
    {"id_planes", id_planes, METH_VARARGS, "Numbers of texts, likewise; None: not all are known."},
    {NULL, NULL, 0, NULL},
};
