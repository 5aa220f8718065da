/* The type Sampler: what Python sees of the sampler. See _native.pyi. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "samplertype.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "spancalls.h"
#include "strands.h"

typedef struct {
    PyObject_HEAD
    Sampler *sampler;
    PyObject *ours, *machinery; /* the texts that Options points into */
    PyObject *variable;         /* must live as long as it is looked for */
    uint64_t refused_before;    /* transactions, by strands.c */
    PyObject *queue;            /* whose gate the sampler sleeps at */
} SamplerObject;

static PyObject *sampler_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"leaf_depth", "root_depth", "max_samples", "max_passes", "budget",
                            "ours",       "machinery",  "variable",    "may_drop_files", NULL};
    Options options = {0};
    PyObject *ours, *machinery, *variable;
    int may_drop_files = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiIIdUUO|p", names, &options.leaf_max,
                                     &options.root_max, &options.max_samples, &options.max_passes,
                                     &options.budget, &ours, &machinery, &variable, &may_drop_files))
        return NULL;
    if (options.leaf_max < 1 || options.root_max < 1 || !options.max_samples || !options.max_passes)
        return PyErr_Format(PyExc_ValueError, "depths and sizes must be positive");
    options.may_drop_files = may_drop_files;
    options.ours = PyUnicode_AsUTF8(ours);
    options.machinery = PyUnicode_AsUTF8(machinery);
    if (!options.ours || !options.machinery) return NULL;
    if (variable != Py_None) {
        Py_hash_t hash = PyObject_Hash(variable);
        if (hash == -1) return NULL;
        options.key.variable = (uintptr_t)variable;
        options.key.hash = span_hash(hash);
    }
    SamplerObject *self = (SamplerObject *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->ours = Py_NewRef(ours);
    self->machinery = Py_NewRef(machinery);
    self->variable = Py_NewRef(variable);
    Sampler *sampler = calloc(1, sizeof *sampler);
    const char *trouble = sampler ? sampler_init(sampler, &options) : "no memory";
    if (trouble) {
        free(sampler);
        Py_DECREF(self);
        return PyErr_Format(PyExc_RuntimeError, "%s", trouble);
    }
    self->sampler = sampler;
    strands_use(&sampler->layout);
    sampler->waiters.past = strands_latest();
    self->refused_before = strands_refused();
    return (PyObject *)self;
}

static void sampler_dealloc(SamplerObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Sampler *s = self->sampler;
    if (s) {
        bool foreign = s->owner && s->owner != getpid();
        Py_BEGIN_ALLOW_THREADS;
        sampler_stop(s);
        Py_END_ALLOW_THREADS;
        /* In a child of fork the thread may have been in the midst of anything: leak, then. */
        if (!foreign) {
            sampler_free(s);
            free(s);
        }
    }
    Py_XDECREF(self->ours);
    Py_XDECREF(self->machinery);
    Py_XDECREF(self->variable);
    Py_XDECREF(self->queue);
    type->tp_free(self);
    Py_DECREF(type);
}

Sampler *sampler_of(PyObject *object) {
    bool is_one = PyType_GetSlot(Py_TYPE(object), Py_tp_dealloc) == (void *)sampler_dealloc;
    return is_one ? ((SamplerObject *)object)->sampler : NULL;
}

static PyObject *start(SamplerObject *self, PyObject *given) {
    long long interval_ns = PyLong_AsLongLong(given);
    if (interval_ns == -1 && PyErr_Occurred()) return NULL;
    const char *trouble;
    Py_BEGIN_ALLOW_THREADS;
    trouble = sampler_start(self->sampler, interval_ns);
    Py_END_ALLOW_THREADS;
    if (trouble) return PyErr_Format(PyExc_RuntimeError, "%s", trouble);
    Py_RETURN_NONE;
}

/* Before the start: the sampler reads it without a lock. */
static PyObject *sleep_between(SamplerObject *self, PyObject *queue) {
    PyTypeObject *type = Py_TYPE(queue);
    while (type && strcmp(type->tp_name, SPANQUEUE_NAME) != 0) type = type->tp_base;
    if (!type) return PyErr_Format(PyExc_TypeError, "this is no queue of spans");
    if (self->sampler->has_runner || self->queue)
        return PyErr_Format(PyExc_RuntimeError, "too late: the sampler was set up");
    self->queue = Py_NewRef(queue);
    self->sampler->gate = &((SpanQueue *)queue)->gate;
    Py_RETURN_NONE;
}

static PyObject *stop(SamplerObject *self, PyObject *unused) {
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    sampler_stop(self->sampler);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static PyObject *note_c_call(SamplerObject *self, PyObject *args) {
    PyObject *code;
    int unit;
    const char *name;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "O!is#", &PyCode_Type, &code, &unit, &name, &length)) return NULL;
    Sampler *s = self->sampler;
    uint64_t print = codes_print(&s->layout, code);
    pthread_mutex_lock(&s->lock); /* with the GIL: a pass is short, and never waits for it */
    ccalls_note(&s->ccalls, (uintptr_t)code, unit, print, name, (uint32_t)length);
    pthread_mutex_unlock(&s->lock);
    Py_RETURN_NONE;
}

static PyObject *bytes_of(const void *at, size_t size) {
    return PyBytes_FromStringAndSize(size ? at : NULL, (Py_ssize_t)size);
}

static PyObject *list_of_births(const Birth *births, uint32_t count) {
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < count; i++) {
        const Birth *b = &births[i];
        PyObject *row = Py_BuildValue("(IKKL)", b->index, (unsigned long long)b->ident,
                                      (unsigned long long)b->native_id, (long long)b->interp_id);
        if (!row || PyList_Append(list, row) != 0) Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

/* Definitions: the first numbers, then packed functions, and columns of 32-bit words. */
static PyObject *definitions_of(const Told *told) {
    return Py_BuildValue("(IIIINNNNN)", told->first_function, told->first_frame, told->first_stack,
                         told->function_count, bytes_of(told->functions.bytes, told->functions.used),
                         bytes_of(told->frame_function.bytes, told->frame_function.used),
                         bytes_of(told->frame_line.bytes, told->frame_line.used),
                         bytes_of(told->stack_parent.bytes, told->stack_parent.used),
                         bytes_of(told->stack_frame.bytes, told->stack_frame.used));
}

static PyObject *samples_of(const Samples *x) {
    size_t p = x->passes, n = x->count;
    return Py_BuildValue("(LNNNNNNNNNNNN)", (long long)x->start_ticks, bytes_of(x->pass_ticks, 8 * p),
                         bytes_of(x->pass_samples, 4 * p), bytes_of(x->pass_unobserved, 8 * p),
                         bytes_of(x->pass_missed, 4 * p), bytes_of(x->thread, 4 * n),
                         bytes_of(x->stack, 4 * n), bytes_of(x->span, 8 * n),
                         bytes_of(x->wall_extra, 8 * n), bytes_of(x->cpu_ticks, 8 * n),
                         bytes_of(x->state, n), bytes_of(x->flags, n),
                         bytes_of(x->pass_asleep, 8 * p));
}

/* Only one thread may drain: the columns handed over before are filled again from then on. */
static PyObject *drain(SamplerObject *self, PyObject *given) {
    Sampler *s = self->sampler;
    int restart = PyObject_IsTrue(given);
    if (restart < 0) return NULL;
    Told told;
    Py_BEGIN_ALLOW_THREADS;
    pthread_mutex_lock(&s->lock);
    pass_flush(s);
    Samples full = s->samples;
    s->samples = s->spare;
    s->spare = full;
    samples_clear(&s->samples, s->recorded);
    told = names_take(&s->names);
    if (restart) pass_restart(s);
    pthread_mutex_unlock(&s->lock);
    Py_END_ALLOW_THREADS;
    PyObject *definitions = definitions_of(&told);
    told_free(&told);
    PyObject *samples = definitions ? samples_of(&s->spare) : NULL;
    if (!samples) {
        Py_XDECREF(definitions);
        return NULL;
    }
    return Py_BuildValue("(NN)", definitions, samples);
}

/* Take the threads that were not told, but for our own: (index, ident, native id, interpreter id)
 * of each. */
static PyObject *births(SamplerObject *self, PyObject *unused) {
    (void)unused;
    Sampler *s = self->sampler;
    Birth *born;
    uint32_t count = 0;
    Py_BEGIN_ALLOW_THREADS;
    pthread_mutex_lock(&s->lock);
    born = s->threads.births;
    for (uint32_t i = 0; i < s->threads.birth_count; i++)
        if (!sampler_hides_native(s, born[i].native_id)) born[count++] = born[i];
    s->threads.births = NULL;
    s->threads.birth_count = s->threads.birth_room = 0;
    pthread_mutex_unlock(&s->lock);
    Py_END_ALLOW_THREADS;
    PyObject *list = list_of_births(born, count);
    free(born);
    return list;
}

static PyObject *alive(SamplerObject *self, PyObject *unused) {
    (void)unused;
    Sampler *s = self->sampler;
    PyObject *list = PyList_New(0);
    pthread_mutex_lock(&s->lock); /* with the GIL: a pass is short, and never waits for it */
    for (int i = 0; list && i < s->threads.count; i++) {
        PyObject *index = PyLong_FromUnsignedLong(s->threads.rows[i]->index);
        if (!index || PyList_Append(list, index) != 0) Py_CLEAR(list);
        Py_XDECREF(index);
    }
    pthread_mutex_unlock(&s->lock);
    return list;
}

static PyObject *stats(SamplerObject *self, PyObject *unused) {
    (void)unused;
    Sampler *s = self->sampler;
    Counters c;
    uint32_t stacks;
    Py_BEGIN_ALLOW_THREADS;
    pthread_mutex_lock(&s->lock);
    c = s->counters;
    c.dropped += s->waiters.dropped;
    if (s->asleep_since_ns) c.asleep_ns += clock_now_ns() - s->asleep_since_ns;
    stacks = s->names.stacks.used;
    pthread_mutex_unlock(&s->lock);
    Py_END_ALLOW_THREADS;
    return Py_BuildValue(
        "{sKsKsKsKsKsKsKsKsKsLsLsLsIsi}", "passes", c.passes, "late", c.late, "missed", c.missed,
        "torn", c.torn, "skewed", c.skewed, "dropped_samples", c.dropped, "retries", c.retries,
        "stretched_passes", c.stretched, "unfollowed_transactions",
        strands_refused() - self->refused_before, "sampler_cpu_ns", (long long)c.sampler_cpu_ns,
        "interval_ns", (long long)c.interval_ns, "asleep_ns", (long long)c.asleep_ns, "stacks",
        stacks, "memory", (int)s->memory.way);
}

static PyMethodDef sampler_methods[] = {
    {"start", (PyCFunction)start, METH_O, "Begin to sample."},
    {"sleep_between", (PyCFunction)sleep_between, METH_O,
     "Sleep while no transaction of this queue is open."},
    {"stop", (PyCFunction)stop, METH_NOARGS, "End the sampler thread."},
    {"note_c_call", (PyCFunction)note_c_call, METH_VARARGS, "What a call leads to."},
    {"drain", (PyCFunction)drain, METH_O, "Definitions and samples since the last drain."},
    {"births", (PyCFunction)births, METH_NOARGS, "Take the threads that were not told."},
    {"alive", (PyCFunction)alive, METH_NOARGS, "Indexes of the threads there are."},
    {"stats", (PyCFunction)stats, METH_NOARGS, "Counters."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot sampler_slots[] = {
    {Py_tp_doc, "A thread that samples this process without the GIL."},
    {Py_tp_new, sampler_new},
    {Py_tp_dealloc, sampler_dealloc},
    {Py_tp_methods, sampler_methods},
    {0, NULL},
};

static PyType_Spec sampler_spec = {
    .name = "flamespan.profiler.engine._native.Sampler",
    .basicsize = sizeof(SamplerObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = sampler_slots,
};

int samplertype_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&sampler_spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "Sampler", type);
    Py_DECREF(type);
    return failed;
}
