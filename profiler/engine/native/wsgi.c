#include "wsgi.h"

#include <stdbool.h>
#include <stddef.h>

/* A request; and its body, which tells when it is closed. */
typedef struct {
    Request request;
    PyObject *start_response; /* the server's */
    PyObject *body, *steps;   /* the application's; its iterator, once it has begun */
    bool whole;               /* there is no more of the body to come */
} Wsgi;

static int wsgi_traverse(Wsgi *self, visitproc visit, void *arg) {
    Py_VISIT(self->start_response);
    Py_VISIT(self->body);
    Py_VISIT(self->steps);
    return request_traverse(&self->request, visit, arg);
}

static int wsgi_clear(Wsgi *self) {
    Py_CLEAR(self->start_response);
    Py_CLEAR(self->body);
    Py_CLEAR(self->steps);
    return request_clear(&self->request);
}

/* The three digits that a status line begins with; 0: it does not. */
static int code_of(PyObject *status) {
    if (!PyUnicode_Check(status) || PyUnicode_GET_LENGTH(status) < 3) return 0;
    int code = 0;
    for (Py_ssize_t i = 0; i < 3; i++) {
        Py_UCS4 digit = PyUnicode_READ_CHAR(status, i);
        if (digit < '0' || digit > '9') return 0;
        code = code * 10 + (int)(digit - '0');
    }
    return code;
}

static PyObject *start_response(Wsgi *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *names) {
    int code = count > 0 ? code_of(args[0]) : 0;
    if (code) self->request.code = code;
    request_find_route(&self->request); /* a framework may know it no more at the end */
    return PyObject_Vectorcall(self->start_response, args, (size_t)count, names);
}

/* Over, with the exception that is set; it stays so. */
static void end_by_error(Wsgi *self) {
    PyObject *error = request_take_error();
    request_end(&self->request, error, NULL);
    request_raise(error);
}

static PyObject *wsgi_next(Wsgi *self) {
    if (!self->body) return NULL;
    if (!self->steps && !(self->steps = PyObject_GetIter(self->body))) {
        end_by_error(self);
        return NULL;
    }
    PyObject *part = (*Py_TYPE(self->steps)->tp_iternext)(self->steps);
    if (part) return part;
    if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_StopIteration)) self->whole = true;
    else end_by_error(self);
    return NULL;
}

static PyObject *wsgi_close(Wsgi *self, PyObject *unused) {
    (void)unused;
    Request *request = &self->request;
    PyObject *call = self->body ? PyObject_GetAttrString(self->body, "close") : NULL;
    if (!call && PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
    PyObject *closed = call ? PyObject_CallNoArgs(call) : NULL;
    Py_XDECREF(call);
    Py_XDECREF(closed);
    PyObject *error = PyErr_Occurred() ? request_take_error() : NULL;
    bool is_cut = self->steps && !self->whole;
    request_end(request, error, is_cut ? request->state->web.cancelled : NULL);
    request_let_go(request);
    if (!error) Py_RETURN_NONE;
    request_raise(error);
    return NULL;
}

/* Where the application has failed, or gave a body that the server takes as it is. */
static PyObject *wsgi_end(Wsgi *self, PyObject *const *args, Py_ssize_t count) {
    request_end(&self->request, count > 0 ? args[0] : NULL, NULL);
    request_let_go(&self->request);
    Py_RETURN_NONE;
}

static PyObject *answer(Wsgi *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 2) return PyErr_Format(PyExc_TypeError, "needs body and whether that is not sent");
    Py_XSETREF(self->body, Py_NewRef(args[0]));
    self->whole = args[1] == Py_True;
    return Py_NewRef(self);
}

static Py_ssize_t wsgi_length(Wsgi *self) {
    if (self->body) return PyObject_Size(self->body); /* TypeError, where it has none */
    PyErr_SetString(PyExc_TypeError, "there is no body yet");
    return -1;
}

static int wsgi_bool(PyObject *self) {
    (void)self;
    return 1; /* or it would be asked for its length */
}

static PyMethodDef methods[] = {
    {"start_response", (PyCFunction)(void *)start_response, METH_FASTCALL | METH_KEYWORDS,
     "The application's `start_response`."},
    {"answer", (PyCFunction)(void *)answer, METH_FASTCALL, "What the server gets as the body."},
    {"end", (PyCFunction)(void *)wsgi_end, METH_FASTCALL, "It is over, maybe with this error."},
    {"close", (PyCFunction)wsgi_close, METH_NOARGS, "All was sent, or the client is gone."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A request, and its body, which tells when it is closed."},
    {Py_tp_traverse, wsgi_traverse},
    {Py_tp_clear, wsgi_clear},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, wsgi_next},
    {Py_sq_length, wsgi_length},
    {Py_nb_bool, wsgi_bool},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flamespan.profiler.engine._native.WsgiExchange",
    .basicsize = sizeof(Wsgi),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

/* wsgi_exchange(environ, start_response, route) */
static PyObject *wsgi_exchange(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    SpanState *st = PyModule_GetState(module);
    if (count != 3 || !PyDict_Check(args[0]))
        return PyErr_Format(PyExc_TypeError, "needs environ (a dict), start_response, route");
    PyTypeObject *type = (PyTypeObject *)st->web.wsgi;
    Wsgi *self = (Wsgi *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->request.state = st;
    self->start_response = Py_NewRef(args[1]);
    PyObject *method = PyDict_GetItemWithError(args[0], st->web.request_method);
    PyObject *path = PyDict_GetItemWithError(args[0], st->web.path_info);
    if (PyErr_Occurred() || request_begin(&self->request, method ? method : Py_None,
                                          path ? path : Py_None, 0) < 0 ||
        request_hold(&self->request, args[0], args[2]) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyMethodDef functions[] = {
    {"wsgi_exchange", (PyCFunction)(void *)wsgi_exchange, METH_FASTCALL, "A request that begins."},
    {NULL, NULL, 0, NULL},
};

int wsgi_add(PyObject *module, SpanState *st) {
    st->web.request_method = PyUnicode_InternFromString("REQUEST_METHOD");
    st->web.path_info = PyUnicode_InternFromString("PATH_INFO");
    st->web.wsgi = (PyObject *)request_subtype(module, &spec);
    if (!st->web.request_method || !st->web.path_info || !st->web.wsgi) return -1;
    if (PyModule_AddObjectRef(module, "WsgiExchange", st->web.wsgi) < 0) return -1;
    return PyModule_AddFunctions(module, functions);
}
