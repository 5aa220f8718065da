/* A request as a transaction: what `integrations/http.py` says of it, without the price of Python. */
#ifndef FLAMESPAN_REQUEST_H
#define FLAMESPAN_REQUEST_H

#include "spans.h"

/* Server and framework add what they know: the exchanges of asgi.c and wsgi.c begin with this. */
typedef struct {
    PyObject_HEAD
    SpanState *state; /* of the module, which outlives its types */
    SpanObject *span;
    PyObject *token;  /* NULL: it is not active, or no longer */
    SpanObject *before; /* the active one as it was entered; NULL: none */
    PyObject *prefix; /* of its name: the method, or "WS" */
    PyObject *name;   /* that it was given first; what the application calls it stays */
    PyObject *route;  /* NULL: not known (yet) */
    PyObject *held;   /* environ or scope, where frameworks find it; NULL: in none */
    PyObject *ask;    /* gives the route of `held`; NULL: nobody */
    int code;
    char done;
} Request;

void request_dealloc(Request *request);
int request_state_traverse(WebState *web, visitproc visit, void *arg);
void request_state_free(WebState *web);

/* Add type and functions to the module. -1 with an exception set on failure. */
int request_add(PyObject *module, SpanState *state);
/* A subtype of it, likewise; a new reference. */
PyTypeObject *request_subtype(PyObject *module, PyType_Spec *spec);

/* What an exchange holds, and lets go of. */
int request_traverse(Request *request, visitproc visit, void *arg);
int request_clear(Request *request);

/* Open the transaction and make it the active one. -1 with an exception set on failure. */
int request_begin(Request *request, PyObject *method, PyObject *path, int is_websocket);
/* Be found in `held` as long as it goes on, and ask there for the route. The same. */
int request_hold(Request *request, PyObject *held, PyObject *ask);
/* Ask for the route, if it is not known. */
void request_find_route(Request *request);
/* It is over: say what it was. `error` and `status` may be NULL. A second call does nothing. */
void request_end(Request *request, PyObject *error, PyObject *status);
/* Let the context that runs be as it was before, if this is over. */
void request_leave(Request *request);
/* The same, as it is no longer to be found. */
void request_let_go(Request *request);

/* The exception that is set, taken; and set again. */
PyObject *request_take_error(void);
void request_raise(PyObject *error);

/* Methods of every exchange. */
#define REQUEST_METHODS \
    {"end", (PyCFunction)(void *)request_call_end, METH_FASTCALL, \
     "It is over: with what error, in what status. A second call does nothing."}
PyObject *request_call_end(Request *self, PyObject *const *args, Py_ssize_t count);

#endif
