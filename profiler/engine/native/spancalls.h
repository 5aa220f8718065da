/* The functions of the module that have to do with spans. */
#ifndef FLAMESPAN_SPANCALLS_H
#define FLAMESPAN_SPANCALLS_H

#include <Python.h>

#include "spans.h"

extern PyMethodDef span_functions[];

int span_state_traverse(SpanState *state, visitproc visit, void *arg);
void span_state_clear(SpanState *state);
void span_state_free(SpanState *state);

#endif
