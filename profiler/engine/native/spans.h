/* Opening, activating and closing spans. All of it needs the GIL. */
#ifndef FLAMESPAN_SPANS_H
#define FLAMESPAN_SPANS_H

#include "spantype.h"

/* Of the module: what spans need to know. */
typedef struct {
    SpanQueue *log;         /* NULL while nothing records */
    PyTypeObject *type;     /* Python's class, below our SpanCore */
    PyTypeObject *scope, *queue;
    PyObject *variable;     /* the ContextVar with the active span */
    SpanObject *nothing;    /* what is opened while nothing records */
    PyObject *wrap, *text, *tag, *complain, *empty, *error; /* functions; texts */
    PyObject *entered, *left; /* told of the active span of this thread; NULL: nobody asks */
    PyObject *name_task;    /* told of a transaction entered in a task; NULL: nobody asks */
    PyObject *decide;       /* whether a transaction is recorded; NULL: `rate` says it */
    double rate;
    unsigned long long random;
    long long last_id;
} SpanState;

/* What to open: borrowed. */
typedef struct {
    int is_transaction;
    PyObject *name, *op, *description, *tags;
} SpanWish;

/* Open a span without making it active. What comes back is `nothing`, or without an id, if it is
 * not recorded. A new reference; never NULL. */
SpanObject *span_begin(SpanState *state, const SpanWish *wish);

/* Make it the active one here; a token for `span_deactivate`. NULL: it could not be. */
PyObject *span_activate(SpanState *state, SpanObject *span);

/* Undo that; in another context or out of order the next open span takes over. */
void span_deactivate(SpanState *state, SpanObject *span, PyObject *token);

/* Close it; an exception makes its status "error" unless it was set. */
void span_finish(SpanState *state, SpanObject *span, PyObject *error);

/* After a fork, in the child: queue an open span as if it had just been opened. */
void span_reopen(SpanObject *span);

/* The active span as it lies in the context, open or not. A new reference, or NULL. */
SpanObject *span_active(SpanState *state);

#endif
