#include "learn.h"

#include <stdbool.h>
#include <string.h>

#include "paths.h"
#include "samplertype.h"
#include "spans.h"
#include "strands.h"

static int take_wraps(AwaitTypes *types, PyObject *wraps) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(wraps) && i < WRAPS_MAX; i++) {
        PyObject *type;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(wraps, i), "OI", &type, &types->wraps[i].inner))
            return 0;
        types->wraps[i].type = (uintptr_t)type;
        types->wrap_count = (int)i + 1;
    }
    return 1;
}

static int take_tasks(Forks *forks, PyObject *tasks) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tasks) && i < TASK_KINDS; i++) {
        TaskKind *kind = &forks->tasks[i];
        PyObject *type;
        int is_future;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(tasks, i), "OIIp", &type, &kind->coroutine,
                              &kind->context, &is_future))
            return 0;
        kind->type = (uintptr_t)type;
        kind->is_future = is_future;
        forks->task_count = (int)i + 1;
    }
    return 1;
}

static int take_hops(Fork *fork, PyObject *hops) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hops) && i < HOPS_MAX; i++) {
        long offset = PyLong_AsLong(PyTuple_GET_ITEM(hops, i));
        if (offset == -1 && PyErr_Occurred()) return 0;
        fork->hops[i] = (int16_t)offset;
        fork->hop_count = (int)i + 1;
    }
    return 1;
}

static int take_forks(Forks *forks, PyObject *rows) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rows) && i < FORKS_MAX; i++) {
        Fork *fork = &forks->rows[i];
        PyObject *at, *hops, *check;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(rows, i), "OO!iIO", &at, &PyTuple_Type, &hops,
                              &fork->checked, &fork->check_at, &check) ||
            !take_hops(fork, hops))
            return 0;
        fork->at = (uintptr_t)at;
        fork->check = (uintptr_t)check;
        forks->count = (int)i + 1;
    }
    return 1;
}

static const Forks no_forks = {
    .type_base = offsetof(PyTypeObject, tp_base),
    .list_items = offsetof(PyListObject, ob_item),
    .set_table = offsetof(PySetObject, table),
    .set_mask = offsetof(PySetObject, mask),
};

/* Of a sampler: wrappers, a future's iterator, futures, tasks, forks: see awaits.py. */
static PyObject *set_await_types(PyObject *module, PyObject *args) {
    (void)module;
    AwaitTypes types = {.forks = no_forks};
    PyObject *engine, *wraps, *waiter, *future, *tasks, *forks;
    if (!PyArg_ParseTuple(args, "OO!OIOIO!O!", &engine, &PyTuple_Type, &wraps, &waiter,
                          &types.waiter_future, &future, &types.forks.future_state, &PyTuple_Type,
                          &tasks, &PyTuple_Type, &forks))
        return NULL;
    Sampler *sampler = sampler_of(engine);
    if (!sampler) return PyErr_Format(PyExc_TypeError, "needs a Sampler");
    types.waiter_type = waiter == Py_None ? 0 : (uintptr_t)waiter;
    types.forks.future_type = future == Py_None ? 0 : (uintptr_t)future;
    types.forks.list_type = (uintptr_t)&PyList_Type;
    types.forks.set_type = (uintptr_t)&PySet_Type;
    if (!take_wraps(&types, wraps) || !take_tasks(&types.forks, tasks) ||
        !take_forks(&types.forks, forks))
        return NULL;
    pthread_mutex_lock(&sampler->lock); /* with the GIL: a pass is short */
    sampler->waiters.chain.types = types;
    pthread_mutex_unlock(&sampler->lock);
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
    {"use_task_names", use_task_names, METH_O, "Who is told of transactions entered in tasks."},
    {"offset_of", offset_of, METH_VARARGS, "Where an object points to another; -1: nowhere."},
    {"path_of", path_of, METH_VARARGS, "How objects lead to others; None: no way is known."},
    {"offset_of_ints", offset_of_ints, METH_VARARGS, "Where objects hold numbers; -1: nowhere."},
    {NULL, NULL, 0, NULL},
};

int learn_add(PyObject *module) { return PyModule_AddFunctions(module, functions); }
