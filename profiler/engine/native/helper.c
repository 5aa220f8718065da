/* A thread that calls a Python function now and then. Python knows nothing of it before the first
 * call, and sees no frame of it between calls: a program that counts its threads, or finds itself
 * in a child of fork, must not find ours. The sampler leaves it out. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "helper.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "clock.h"
#include "samplertype.h"

enum { STACK_BYTES = 4 << 20, RETRY_S = 1 };

static const double REST_MAX_S = 1e8;

typedef struct {
    PyObject_HEAD
    PyObject *function;
    PyObject *engine; /* holds the sampler */
    Sampler *sampler;
    PyInterpreterState *interp;
    double first_s, births_every_s; /* NAN: wait for births */
    char name[16];
    pthread_t runner;
    uint64_t native_id;
    pid_t owner; /* the process that the thread is in; 0: there is none */
    pthread_mutex_t lock;
    pthread_cond_t news;
    atomic_bool stopping;
    bool done, joined;
    bool never_called; /* done without the GIL: the reference it has is not given back */
} HelperObject;

/* False: it is to stop. */
static bool rest(HelperObject *self, double seconds) {
    double bounded = seconds < REST_MAX_S ? seconds : REST_MAX_S;
    struct timespec until = sampler_deadline(clock_now_ns() + (int64_t)(bounded * 1e9));
    int over = 0;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping && !over)
        over = pthread_cond_timedwait(&self->news, &self->lock, &until);
    pthread_mutex_unlock(&self->lock);
    return !self->stopping;
}

/* Wait for threads that were not told. False: it is to stop. */
static bool wait_births(HelperObject *self) {
    Sampler *s = self->sampler;
    pthread_mutex_lock(&s->lock);
    while (!self->stopping && s->has_runner && !s->threads.birth_count)
        pthread_cond_wait(&s->news, &s->lock);
    bool goes_on = !self->stopping && s->has_runner;
    pthread_mutex_unlock(&s->lock);
    return goes_on;
}

static bool wait_turn(HelperObject *self, double seconds) {
    if (!isnan(seconds)) return rest(self, seconds);
    return rest(self, self->births_every_s) && wait_births(self);
}

/* The seconds until the next call; NAN: when there are births. With the GIL. */
static double call(HelperObject *self) {
    PyObject *found = PyObject_CallNoArgs(self->function);
    double seconds = NAN;
    if (found && found != Py_None) seconds = PyFloat_AsDouble(found);
    Py_XDECREF(found);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(self->function);
        seconds = RETRY_S;
    }
    return seconds > 0 || isnan(seconds) ? seconds : 0;
}

static void be_done(HelperObject *self, bool never_called) {
    pthread_mutex_lock(&self->lock);
    self->never_called = never_called;
    self->done = true;
    pthread_cond_broadcast(&self->news);
    pthread_mutex_unlock(&self->lock);
}

/* A child of fork may be left by all of its threads. Then it ends with the last thread of the
 * system, so that is not to be one of ours; and Python may be unable to make a state (3.11, 3.12). */
static PyThreadState *new_state(HelperObject *self) {
    if (PyInterpreterState_ThreadHead(self->interp)) return PyThreadState_New(self->interp);
    sampler_stop(self->sampler);
    return NULL;
}

static void *run(void *given) {
    HelperObject *self = given;
    Own own = {(uint64_t)(uintptr_t)pthread_self(), PyThread_get_thread_native_id()};
#if defined(__linux__)
    prctl(PR_SET_NAME, self->name, 0, 0, 0);
#endif
    self->native_id = own.native_id; /* read by who has seen that it is done */
    sampler_hide(self->sampler, own, true);
    PyThreadState *state = NULL;
    double seconds = self->first_s;
    while (wait_turn(self, seconds)) {
        if (!state) state = new_state(self);
        if (!state) break;
        PyEval_RestoreThread(state);
        seconds = call(self);
        PyEval_SaveThread();
    }
    if (!state) {
        sampler_hide(self->sampler, own, false);
        be_done(self, true);
        return NULL;
    }
    PyEval_RestoreThread(state);
    /* It has no frames any more. Let go of it before `self` may be: the ident is used again. */
    sampler_hide(self->sampler, own, false);
    be_done(self, false);
    Py_DECREF(self);
    PyThreadState_Clear(state);
    PyThreadState_DeleteCurrent();
    return NULL;
}

static HelperObject *helper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"sampler", "function", "name", "first_s", "births_every_s", NULL};
    PyObject *engine, *function;
    const char *name;
    double first_s = NAN, births_every_s = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOs|dd", names, &engine, &function, &name,
                                     &first_s, &births_every_s))
        return NULL;
    Sampler *sampler = sampler_of(engine);
    if (!sampler) {
        PyErr_SetString(PyExc_TypeError, "sampler must be a Sampler");
        return NULL;
    }
    HelperObject *self = (HelperObject *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->function = Py_NewRef(function);
    self->engine = Py_NewRef(engine);
    self->sampler = sampler;
    self->interp = PyInterpreterState_Get();
    self->first_s = first_s > 0 || isnan(first_s) ? first_s : 0;
    self->births_every_s = births_every_s;
    snprintf(self->name, sizeof self->name, "%s", name);
    pthread_mutex_init(&self->lock, NULL);
    sampler_init_condition(&self->news);
    self->owner = getpid();
    Py_INCREF(self); /* the thread's */
    if (sampler_begin_thread(&self->runner, run, self, STACK_BYTES) != 0) {
        self->owner = 0;
        Py_DECREF(self);
        Py_DECREF(self);
        PyErr_SetString(PyExc_RuntimeError, "the system gives no thread");
        return NULL;
    }
    return self;
}

/* Only when the thread has let go of it. */
static void helper_dealloc(HelperObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->sampler) {
        pthread_mutex_destroy(&self->lock);
        pthread_cond_destroy(&self->news);
    }
    Py_XDECREF(self->function);
    Py_XDECREF(self->engine);
    type->tp_free(self);
    Py_DECREF(type);
}

static void wake(HelperObject *self) {
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_broadcast(&self->news);
    pthread_mutex_unlock(&self->lock);
    pthread_mutex_lock(&self->sampler->lock);
    pthread_cond_broadcast(&self->sampler->news);
    pthread_mutex_unlock(&self->sampler->lock);
}

/* Wait for the thread's end. False: it has not ended by then, and is left alone. */
static bool await_end(HelperObject *self, double timeout_s) {
    struct timespec until = sampler_deadline(clock_now_ns() + (int64_t)(timeout_s * 1e9));
    int over = 0;
    pthread_mutex_lock(&self->lock);
    while (!self->done && !over)
        over = pthread_cond_timedwait(&self->news, &self->lock, &until);
    bool done = self->done, first = !self->joined;
    self->joined = true;
    pthread_mutex_unlock(&self->lock);
    if (first && done) sampler_join_thread(self->runner, self->native_id);
    else if (first) pthread_detach(self->runner);
    return done;
}

static PyObject *stop(HelperObject *self, PyObject *given) {
    double timeout_s = PyFloat_AsDouble(given);
    if (timeout_s == -1 && PyErr_Occurred()) return NULL;
    if (self->owner != getpid()) Py_RETURN_TRUE; /* a child of fork: it has no such thread */
    if (pthread_equal(self->runner, pthread_self())) timeout_s = 0; /* in a call of its own */
    bool done;
    Py_BEGIN_ALLOW_THREADS;
    wake(self);
    done = await_end(self, timeout_s);
    Py_END_ALLOW_THREADS;
    if (done && self->never_called) {
        self->never_called = false;
        Py_DECREF(self);
    }
    return PyBool_FromLong(done);
}

static PyMethodDef methods[] = {
    {"stop", (PyCFunction)stop, METH_O, "No more calls; whether it has ended in time."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A thread that calls a function, and that Python sees only while it does."},
    {Py_tp_new, helper_new},
    {Py_tp_dealloc, helper_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flamespan.profiler.engine._native.Helper",
    .basicsize = sizeof(HelperObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

int helper_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    if (!type) return -1;
    int failed = PyModule_AddObjectRef(module, "Helper", type);
    Py_DECREF(type);
    return failed;
}
