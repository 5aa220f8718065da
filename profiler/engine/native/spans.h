/* Opening, activating and closing spans. All of it needs the GIL. */
#ifndef FLAMESPAN_SPANS_H
#define FLAMESPAN_SPANS_H

#include "spantype.h"

/* Of the module: what requests need to know. References all of them (request.c). */
typedef struct {
    PyObject *key; /* under which a request lies in environ or scope */
    PyObject *openings, *websocket, *other; /* (prefix, name, op), the first by method */
    PyObject *hint;              /* (prefix, path) -> what a choosing function gets as tags */
    PyObject *outcome, *outcomes; /* (prefix, route, code) -> (name, tags, status); those known */
    PyObject *cancelling, *cancelled; /* exceptions; the status that they make */
    PyObject *request, *step, *asgi, *wsgi; /* types */
    PyObject *type, *method, *path, *status, *more_body; /* keys of ASGI: scope, messages */
    PyObject *request_method, *path_info; /* of WSGI's environ */
    /* Types of messages. */
    PyObject *start, *body, *pathsend, *ws_start, *ws_accept, *ws_close, *disconnect;
} WebState;

/* What a request came to that ended like this; see outcomes.h. */
typedef struct {
    PyObject *prefix, *route, *outcome;
    int code;
} KnownOutcome;
enum { OUTCOMES_KNOWN = 64 };

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
    WebState web;
    KnownOutcome known[OUTCOMES_KNOWN];
} SpanState;

/* What to open: borrowed. */
typedef struct {
    int is_transaction;
    PyObject *name, *op, *description, *tags;
    PyObject *hint; /* NULL, or what a function that chooses gets instead of the tags */
} SpanWish;

/* Open a span without making it active. What comes back is `nothing`, or without an id, if it is
 * not recorded. A new reference; never NULL. */
SpanObject *span_begin(SpanState *state, const SpanWish *wish);

/* Make it the active one here; a token for `span_deactivate`. NULL: it could not be. `is_named`:
 * the name of the task that it is entered in is worth a tag. */
PyObject *span_activate(SpanState *state, SpanObject *span, int is_named);

/* Undo that; in another context or out of order the next open span takes over. */
void span_deactivate(SpanState *state, SpanObject *span, PyObject *token);

/* The same where `span` is known to be the active one here, and what was active as it was entered:
 * steals that reference. */
void span_restore(SpanState *state, SpanObject *span, PyObject *token, SpanObject *before);

/* Close it; an exception makes its status "error" unless it was set. */
void span_finish(SpanState *state, SpanObject *span, PyObject *error);

/* After a fork, in the child: queue an open span as if it had just been opened. */
void span_reopen(SpanObject *span);

/* What is wrong in our own Python code is not the application's trouble; interrupts are. */
void span_clear_error(void);

/* The active span as it lies in the context, open or not. A new reference, or NULL. */
SpanObject *span_active(SpanState *state);

#endif
