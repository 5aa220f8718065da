#include "step.h"

#include <stdbool.h>

typedef struct {
    PyObject_HEAD
    PyObject *inner; /* what is awaited; the sampler follows it: see awaits.py. NULL: it is over */
    Request *request;
    StepDone *done;
    int why;
} Step;

static int step_traverse(Step *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->inner);
    Py_VISIT(self->request);
    return 0;
}

static int step_clear(Step *self) {
    Py_CLEAR(self->inner);
    Py_CLEAR(self->request);
    return 0;
}

static void step_dealloc(Step *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    step_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* What `await given` goes through. Steals the reference, gives one. */
static PyObject *awaited(PyObject *given) {
    unaryfunc await = Py_TYPE(given)->tp_as_async ? Py_TYPE(given)->tp_as_async->am_await : NULL;
    if (PyCoro_CheckExact(given)) return given;
    /* Of generators only those that types.coroutine made, which are flagged. */
    if (PyGen_CheckExact(given)) {
        PyObject *code = PyObject_GetAttrString(given, "gi_code");
        bool is_awaitable = code && ((PyCodeObject *)code)->co_flags & CO_ITERABLE_COROUTINE;
        Py_XDECREF(code);
        if (is_awaitable) return given;
    }
    PyObject *iterator = NULL;
    if (await) iterator = await(given);
    else PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                      Py_TYPE(given)->tp_name);
    if (iterator && !PyIter_Check(iterator)) {
        PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'",
                     Py_TYPE(iterator)->tp_name);
        Py_CLEAR(iterator);
    }
    Py_DECREF(given);
    return iterator;
}

PyObject *step_make(Request *request, PyObject *inner, StepDone *done, int why) {
    if (!inner || !(inner = awaited(inner))) return NULL;
    Step *self = PyObject_GC_New(Step, (PyTypeObject *)request->state->web.step);
    if (!self) {
        Py_DECREF(inner);
        return NULL;
    }
    self->inner = inner;
    self->request = (Request *)Py_NewRef(request);
    self->done = done;
    self->why = why;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* It is over: with a result, or with the exception that is set. */
static void over(Step *self, PyObject *result) {
    if (!self->inner) return;
    Py_CLEAR(self->inner);
    PyObject *error = result ? NULL : request_take_error();
    self->done(self->request, result, error, self->why);
    if (error) request_raise(error);
}

static PySendResult step_go(Step *self, PyObject *value, PyObject **result) {
    *result = NULL;
    if (!self->inner) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    PyObject *inner = Py_NewRef(self->inner);
    PySendResult how = PyIter_Send(inner, value, result);
    Py_DECREF(inner);
    if (how != PYGEN_NEXT) over(self, how == PYGEN_RETURN ? *result : NULL);
    return how;
}

/* As an iterator it ends by StopIteration with the result. */
static PyObject *as_iterated(PySendResult how, PyObject *result) {
    if (how != PYGEN_RETURN) return result;
    if (result == Py_None) PyErr_SetNone(PyExc_StopIteration);
    else {
        PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
        if (stop) PyErr_SetObject(PyExc_StopIteration, stop);
        Py_XDECREF(stop);
    }
    Py_DECREF(result);
    return NULL;
}

static PyObject *step_next(Step *self) {
    PyObject *result;
    PySendResult how = step_go(self, Py_None, &result);
    return as_iterated(how, result);
}

static PyObject *step_send(Step *self, PyObject *value) {
    PyObject *result;
    PySendResult how = step_go(self, value, &result);
    return as_iterated(how, result);
}

/* The result that a StopIteration carries, or NULL: another exception is set. */
static PyObject *stopped(void) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return NULL;
    PyObject *stop = request_take_error();
    PyObject *result = PyObject_GetAttrString(stop, "value");
    request_raise(stop);
    return result;
}

static PyObject *step_throw(Step *self, PyObject *args) {
    if (!self->inner) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return NULL;
    }
    PyObject *inner = Py_NewRef(self->inner), *given = NULL;
    PyObject *call = PyObject_GetAttrString(inner, "throw");
    if (call) given = PyObject_Call(call, args, NULL);
    else if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
        /* An iterator that nothing can be thrown into has it raised where it is awaited. */
        PyErr_Clear();
        PyObject *type = PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : PyExc_RuntimeError;
        if (PyExceptionInstance_Check(type)) PyErr_SetObject((PyObject *)Py_TYPE(type), type);
        else PyErr_SetObject(type, PyTuple_GET_SIZE(args) > 1 ? PyTuple_GET_ITEM(args, 1) : NULL);
    }
    Py_XDECREF(call);
    Py_DECREF(inner);
    if (given) return given;
    PyObject *result = stopped();
    if (result) {
        PyObject *stop = request_take_error();
        over(self, result);
        request_raise(stop);
        Py_DECREF(result);
    } else {
        over(self, NULL);
    }
    return NULL;
}

static PyObject *step_close(Step *self, PyObject *unused) {
    (void)unused;
    PyObject *inner = self->inner;
    if (!inner) Py_RETURN_NONE;
    self->inner = NULL;
    PyObject *call = PyObject_GetAttrString(inner, "close");
    if (!call && PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
    PyObject *closed = call ? PyObject_CallNoArgs(call) : PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    Py_XDECREF(call);
    Py_DECREF(inner);
    return closed;
}

static void ignore(Request *request, PyObject *result, PyObject *error, int why) {
    (void)request, (void)result, (void)error, (void)why;
}

static PyMethodDef methods[] = {
    {"send", (PyCFunction)step_send, METH_O, "As of a coroutine."},
    {"throw", (PyCFunction)step_throw, METH_VARARGS, "As of a coroutine."},
    {"close", (PyCFunction)step_close, METH_NOARGS, "As of a coroutine."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "An awaitable that tells a request how what it awaits has ended."},
    {Py_tp_traverse, step_traverse},
    {Py_tp_clear, step_clear},
    {Py_tp_dealloc, step_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, step_next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, step_go},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flamespan.profiler.engine._native.Step",
    .basicsize = sizeof(Step),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

/* One of nobody's, to learn from where it keeps what it awaits. */
static PyObject *step_of(PyObject *module, PyObject *inner) {
    Step *self = PyObject_GC_New(Step, (PyTypeObject *)((SpanState *)PyModule_GetState(module))->web.step);
    if (!self) return NULL;
    self->inner = Py_NewRef(inner);
    self->request = NULL;
    self->done = ignore;
    self->why = 0;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static PyMethodDef functions[] = {
    {"step_of", step_of, METH_O, "An awaitable around a coroutine as requests make them."},
    {NULL, NULL, 0, NULL},
};

int step_add(PyObject *module, SpanState *st) {
    st->web.step = PyType_FromModuleAndSpec(module, &spec, NULL);
    return st->web.step ? PyModule_AddFunctions(module, functions) : -1;
}
