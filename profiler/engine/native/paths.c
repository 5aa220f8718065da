#include "paths.h"

#include <stdbool.h>

#include "fork.h"
#include "word.h"

enum {
    PAIRS_MAX = 3,
    BEFORE = 32, /* bytes in front of an object: its dictionary or attributes may be told there */
    BEHIND = 192,
    LEAST_ADDRESS = 1 << 16
};

typedef struct {
    Memory memory;
    uintptr_t targets[PAIRS_MAX];
    int pairs;
    int16_t hops[HOPS_MAX];
    int count;
} Search;

/* The collector's list lies there: it leads anywhere. */
static bool is_passed_over(int offset) { return offset >= -16 && offset < 8; }

/* What the objects point to from `offset`. False: it cannot be part of a path. */
static bool step(Search *s, const uintptr_t *from, int offset, uintptr_t *to) {
    for (int i = 0; i < s->pairs; i++) {
        uintptr_t at = from[i] + (uintptr_t)(intptr_t)offset;
        if (!memory_read(&s->memory, at, &to[i], sizeof to[i])) return false;
        to[i] = fork_pointer(to[i]);
        if (to[i] < LEAST_ADDRESS) return false;
        for (int k = 0; k < i; k++)
            if (to[k] == to[i]) return false; /* what all share does not lead to what each has */
    }
    return true;
}

static bool search(Search *s, const uintptr_t *from, int left) {
    uintptr_t to[PAIRS_MAX];
    int place = s->count++;
    for (int offset = -BEFORE; offset < BEHIND; offset += 8) {
        if (is_passed_over(offset) || !step(s, from, offset, to)) continue;
        s->hops[place] = (int16_t)offset;
        if (left == 1) {
            bool all = true;
            for (int i = 0; i < s->pairs; i++) all = all && to[i] == s->targets[i];
            if (all) return true;
        } else if (search(s, to, left - 1)) {
            return true;
        }
    }
    s->count--;
    return false;
}

static PyObject *as_tuple(const Search *s) {
    PyObject *made = PyTuple_New(s->count);
    for (int i = 0; made && i < s->count; i++) {
        PyObject *offset = PyLong_FromLong(s->hops[i]);
        if (!offset) Py_CLEAR(made);
        else PyTuple_SET_ITEM(made, i, offset);
    }
    return made;
}

PyObject *path_of(PyObject *module, PyObject *args) {
    (void)module;
    Search s = {0};
    PyObject *objects, *targets;
    uintptr_t from[PAIRS_MAX];
    int most;
    if (!PyArg_ParseTuple(args, "O!O!i", &PyTuple_Type, &objects, &PyTuple_Type, &targets, &most))
        return NULL;
    s.pairs = (int)PyTuple_GET_SIZE(objects);
    if (s.pairs < 2 || s.pairs > PAIRS_MAX || s.pairs != PyTuple_GET_SIZE(targets) || most < 1 ||
        most > HOPS_MAX)
        return PyErr_Format(PyExc_ValueError, "needs two or three pairs, and up to %d hops", HOPS_MAX);
    for (int i = 0; i < s.pairs; i++) {
        from[i] = (uintptr_t)PyTuple_GET_ITEM(objects, i);
        s.targets[i] = (uintptr_t)PyTuple_GET_ITEM(targets, i);
    }
    if (!memory_open(&s.memory, false)) Py_RETURN_NONE;
    bool found = false;
    for (int hops = 1; hops <= most && !found; hops++) found = search(&s, from, hops);
    memory_close(&s.memory);
    if (!found) Py_RETURN_NONE;
    return as_tuple(&s);
}
