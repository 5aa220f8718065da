#include "asgi.h"

#include <stdbool.h>
#include <stddef.h>

#include "step.h"

typedef struct {
    Request request;
    PyObject *receive, *send; /* the server's */
    bool gone;                /* the client */
} Asgi;

/* Why something is awaited. */
enum { SENDING, SENDING_LAST, RECEIVING };

static int asgi_traverse(Asgi *self, visitproc visit, void *arg) {
    Py_VISIT(self->receive);
    Py_VISIT(self->send);
    return request_traverse(&self->request, visit, arg);
}

static int asgi_clear(Asgi *self) {
    Py_CLEAR(self->receive);
    Py_CLEAR(self->send);
    return request_clear(&self->request);
}

/* An item of a message: borrowed; NULL: there is none, or it is no dict, as messages have to be. */
static PyObject *item(PyObject *message, PyObject *key) {
    PyObject *found = PyDict_Check(message) ? PyDict_GetItemWithError(message, key) : NULL;
    if (!found && PyErr_Occurred()) span_clear_error();
    return found;
}

static bool is_text(PyObject *given, PyObject *text) {
    if (given == text) return true;
    return given && PyUnicode_CheckExact(given) &&
           PyUnicode_GET_LENGTH(given) == PyUnicode_GET_LENGTH(text) &&
           PyUnicode_Compare(given, text) == 0;
}

static void end(Asgi *self, PyObject *error) {
    request_end(&self->request, error, self->gone ? self->request.state->web.cancelled : NULL);
}

static void done(Request *request, PyObject *result, PyObject *error, int why) {
    Asgi *self = (Asgi *)request;
    const WebState *web = &request->state->web;
    if (why == RECEIVING) {
        if (result && !request->done && is_text(item(result, web->type), web->disconnect))
            self->gone = true;
        return;
    }
    /* ASGI 2.4: the client is gone. */
    if (error && PyErr_GivenExceptionMatches(error, PyExc_OSError)) self->gone = true;
    if (result && why == SENDING_LAST) end(self, NULL);
}

/* What the answer was. */
static void note(Request *request, PyObject *kind, PyObject *message) {
    const WebState *web = &request->state->web;
    if (is_text(kind, web->start) || is_text(kind, web->ws_start)) {
        PyObject *status = item(message, web->status);
        long code = status ? PyLong_AsLong(status) : 0;
        if (PyErr_Occurred()) span_clear_error();
        else if (code > 0 && code < 1000) request->code = (int)code;
    } else if (is_text(kind, web->ws_accept)) {
        request->code = 101;
    } else if (is_text(kind, web->ws_close) && !request->code) {
        request->code = 403; /* what a server answers to a handshake that is not accepted */
    }
}

static PyObject *asgi_send(Asgi *self, PyObject *message) {
    Request *request = &self->request;
    const WebState *web = &request->state->web;
    if (request->done) return PyObject_CallOneArg(self->send, message);
    PyObject *kind = item(message, web->type);
    int why = SENDING;
    if (is_text(kind, web->body)) {
        PyObject *more = item(message, web->more_body);
        int is_more = more ? PyObject_IsTrue(more) : 0;
        if (is_more < 0) return NULL;
        if (!is_more) why = SENDING_LAST;
    } else if (is_text(kind, web->pathsend)) {
        why = SENDING_LAST;
    } else {
        note(request, kind, message);
    }
    PyObject *sent = PyObject_CallOneArg(self->send, message);
    if (!sent && PyErr_ExceptionMatches(PyExc_OSError)) self->gone = true;
    return step_make(request, sent, done, why);
}

static PyObject *asgi_receive(Asgi *self, PyObject *unused) {
    (void)unused;
    PyObject *received = PyObject_CallNoArgs(self->receive);
    if (self->request.done) return received;
    return step_make(&self->request, received, done, RECEIVING);
}

static PyObject *asgi_end(Asgi *self, PyObject *const *args, Py_ssize_t count) {
    end(self, count > 0 ? args[0] : NULL);
    request_let_go(&self->request);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"send", (PyCFunction)asgi_send, METH_O, "The application's `send`."},
    {"receive", (PyCFunction)asgi_receive, METH_NOARGS, "The application's `receive`."},
    {"end", (PyCFunction)(void *)asgi_end, METH_FASTCALL,
     "The application has returned, or raised this error."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A request or websocket, and what passes between server and application for it."},
    {Py_tp_traverse, asgi_traverse},
    {Py_tp_clear, asgi_clear},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flamespan.profiler.engine._native.AsgiExchange",
    .basicsize = sizeof(Asgi),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

/* asgi_exchange(scope, receive, send, route, is_websocket) */
static PyObject *asgi_exchange(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    SpanState *st = PyModule_GetState(module);
    if (count != 5 || !PyDict_Check(args[0]))
        return PyErr_Format(PyExc_TypeError, "needs scope (a dict), receive, send, route, is_websocket");
    PyTypeObject *type = (PyTypeObject *)st->web.asgi;
    Asgi *self = (Asgi *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->request.state = st;
    self->receive = Py_NewRef(args[1]);
    self->send = Py_NewRef(args[2]);
    PyObject *method = item(args[0], st->web.method), *path = item(args[0], st->web.path);
    if (request_begin(&self->request, method ? method : Py_None, path ? path : Py_None,
                      args[4] == Py_True) < 0 ||
        request_hold(&self->request, args[0], args[3]) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyMethodDef functions[] = {
    {"asgi_exchange", (PyCFunction)(void *)asgi_exchange, METH_FASTCALL, "A request that begins."},
    {NULL, NULL, 0, NULL},
};

int asgi_add(PyObject *module, SpanState *st) {
    static const char *const texts[] = {
        "type", "method", "path", "status", "more_body", "http.response.start",
        "http.response.body", "http.response.pathsend", "websocket.http.response.start",
        "websocket.accept", "websocket.close", "http.disconnect",
    };
    PyObject **kept[] = {
        &st->web.type, &st->web.method, &st->web.path, &st->web.status, &st->web.more_body,
        &st->web.start, &st->web.body, &st->web.pathsend, &st->web.ws_start,
        &st->web.ws_accept, &st->web.ws_close, &st->web.disconnect,
    };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (!(*kept[i] = PyUnicode_InternFromString(texts[i]))) return -1;
    st->web.asgi = (PyObject *)request_subtype(module, &spec);
    if (!st->web.asgi || step_add(module, st) < 0) return -1;
    if (PyModule_AddObjectRef(module, "AsgiExchange", st->web.asgi) < 0) return -1;
    return PyModule_AddFunctions(module, functions);
}
