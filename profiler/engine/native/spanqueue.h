/* The bounded queue between spans and the recorder. */
#ifndef FLAMESPAN_SPANQUEUE_H
#define FLAMESPAN_SPANQUEUE_H

#include <Python.h>

#include "gate.h"

#define SPANQUEUE_NAME "flamespan.profiler.engine._native.SpanQueue"

typedef struct {
    PyObject **items;
    Py_ssize_t count, room;
} Pile;

typedef struct {
    PyObject_HEAD
    Pile opened, closed, others; /* spans, spans, anything else */
    Pile lost;                   /* ids of spans that will never be closed */
    Py_ssize_t max_events, max_open, max_text;
    Py_ssize_t text; /* characters of what is queued */
    Py_ssize_t open, most_open;
    unsigned long long dropped, unchosen;
    unsigned generation; /* after a fork what was counted before counts no longer */
    char ended; /* nobody takes anything any more */
    Gate gate;
} SpanQueue;

/* Add the type to the module, and give a reference to it. NULL with an exception on failure. */
PyTypeObject *spanqueue_add(PyObject *module);

/* Whether another span or label can be taken; if not, it is counted as dropped. */
int spanqueue_has_room(SpanQueue *queue);

/* Take a reference of `item`. False: no memory (no exception is set). */
int pile_add(Pile *pile, PyObject *item);

#endif
