/* What requests came to: one answer of Python for each kind, found again without making anything. */
#ifndef FLAMESPAN_OUTCOMES_H
#define FLAMESPAN_OUTCOMES_H

#include "spans.h"

/* (name or None, tags, status) of a request with this beginning of its name, this route (NULL: not
 * known) and this HTTP status: a new reference, or NULL with an exception set. */
PyObject *outcomes_get(SpanState *state, PyObject *prefix, PyObject *route, int code);

void outcomes_free(SpanState *state);

#endif
