/* The Python type that spans are made of, readable from outside without the GIL. */
#ifndef FLAMESPAN_SPANTYPE_H
#define FLAMESPAN_SPANTYPE_H

#include <Python.h>

#include "spanqueue.h"

/* From `parent` to `strand` as the sampler reads it: `SpanCore` in context.h. */
typedef struct SpanObject {
    PyObject_HEAD
    struct SpanObject *parent; /* NULL: a transaction */
    long long id;              /* 0: none; below: SPAN_UNCHOSEN, SPAN_DROPPED */
    long long end_ns;
    unsigned long long magic;
    unsigned long long strand; /* see strands.h */
    SpanQueue *log; /* NULL: nothing was recording */
    PyObject *name, *op, *description, *status;
    PyObject *tags; /* ((key, value), ...) that were set as it was closed; NULL: none */
    long long start_ns;
    unsigned long long thread_ident;
    unsigned counted; /* among those that are open: the queue's generation, or 0 */
    char is_root;
    char told, renamed; /* its start was taken while it was open; and is told anew as it is closed */
    char over; /* its end was taken */
} SpanObject;

/* Add the type to the module. -1 with an exception set on failure. */
int spantype_add(PyObject *module);

#endif
