#include "learn.h"

#include <stdbool.h>
#include <string.h>

#include "helper.h"
#include "spans.h"
#include "strands.h"

/* Of a sampler: ((type, offset) of wrappers..., (type, offset of its future, offset of a future's state),
 * (type of tasks, offset of its coroutine)): see awaits.py. */
static PyObject *set_await_types(PyObject *module, PyObject *args) {
    (void)module;
    AwaitTypes types = {0};
    PyObject *engine, *wraps, *waiter, *task;
    if (!PyArg_ParseTuple(args, "OO!OIIOI", &engine, &PyTuple_Type, &wraps, &waiter,
                          &types.waiter_future, &types.future_state, &task, &types.task_coroutine))
        return NULL;
    Sampler *sampler = sampler_of(engine);
    if (!sampler) return PyErr_Format(PyExc_TypeError, "needs a Sampler");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(wraps) && i < WRAPS_MAX; i++) {
        PyObject *type;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(wraps, i), "OI", &type, &types.wraps[i].inner))
            return NULL;
        types.wraps[i].type = (uintptr_t)type;
        types.wrap_count = (int)i + 1;
    }
    types.waiter_type = waiter == Py_None ? 0 : (uintptr_t)waiter;
    types.task_type = task == Py_None ? 0 : (uintptr_t)task;
    pthread_mutex_lock(&sampler->lock); /* with the GIL: a pass is short */
    sampler->waiters.chain.types = types;
    pthread_mutex_unlock(&sampler->lock);
    Py_RETURN_NONE;
}

static PyObject *use_greenlets(PyObject *module, PyObject *getcurrent) {
    (void)module;
    strands_use_greenlets(getcurrent);
    Py_RETURN_NONE;
}

static PyObject *use_task_names(PyObject *module, PyObject *name_task) {
    SpanState *spans = PyModule_GetState(module);
    Py_XSETREF(spans->name_task, Py_NewRef(name_task));
    Py_RETURN_NONE;
}

/* Where in `object` a pointer to `target` lies; -1: nowhere. */
static PyObject *offset_of(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *object, *target;
    if (!PyArg_ParseTuple(args, "OO", &object, &target)) return NULL;
    Py_ssize_t size = Py_TYPE(object)->tp_basicsize;
    for (Py_ssize_t at = sizeof(PyObject); at + (Py_ssize_t)sizeof target <= size; at += sizeof target)
        if (memcmp((const char *)object + at, &target, sizeof target) == 0)
            return PyLong_FromSsize_t(at);
    return PyLong_FromLong(-1);
}

/* Where the objects, of one type, hold these numbers as C ints; -1: not at exactly one place. */
static PyObject *offset_of_ints(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *objects[3];
    int numbers[3];
    Py_ssize_t found = -1;
    if (!PyArg_ParseTuple(args, "OOOiii", &objects[0], &objects[1], &objects[2], &numbers[0],
                          &numbers[1], &numbers[2]))
        return NULL;
    Py_ssize_t size = Py_TYPE(objects[0])->tp_basicsize;
    for (Py_ssize_t at = sizeof(PyObject); at + (Py_ssize_t)sizeof(int) <= size; at += sizeof(int)) {
        bool same = true;
        for (int i = 0; i < 3; i++)
            same = same && Py_TYPE(objects[i]) == Py_TYPE(objects[0]) &&
                   memcmp((const char *)objects[i] + at, &numbers[i], sizeof(int)) == 0;
        if (same && found >= 0) return PyLong_FromLong(-1);
        if (same) found = at;
    }
    return PyLong_FromSsize_t(found);
}

static PyMethodDef functions[] = {
    {"set_await_types", set_await_types, METH_VARARGS, "How one awaitable leads to the next."},
    {"use_greenlets", use_greenlets, METH_O, "Spans entered in greenlets are theirs."},
    {"use_task_names", use_task_names, METH_O, "Who is told of transactions entered in tasks."},
    {"offset_of", offset_of, METH_VARARGS, "Where an object points to another; -1: nowhere."},
    {"offset_of_ints", offset_of_ints, METH_VARARGS, "Where objects hold numbers; -1: nowhere."},
    {NULL, NULL, 0, NULL},
};

int learn_add(PyObject *module) { return PyModule_AddFunctions(module, functions); }
