/* What a queue of spans gives to the recorder: columns, and rows of the spans that stay open. */
#ifndef FLAMESPAN_SPANROWS_H
#define FLAMESPAN_SPANROWS_H

#include "spantype.h"

typedef struct {
    Pile opened, closed, others, lost; /* of the queue */
    PyTypeObject *start, *end;         /* model.SpanStart, model.SpanEnd */
    int whole; /* rows are asked for of what was closed, too */
} SpanTaking;

/* What spancolumns.Taken consists of. NULL with an exception set on failure. */
PyObject *spanrows_of(const SpanTaking *taking);

#endif
