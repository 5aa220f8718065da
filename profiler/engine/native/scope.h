/* The context manager and decorator that span() and transaction() return. */
#ifndef FLAMESPAN_SCOPE_H
#define FLAMESPAN_SCOPE_H

#include <Python.h>

#include "spans.h"

/* Add the type to the module. -1 with an exception set on failure. */
int scope_add(PyObject *module, SpanState *state);

/* A scope for what is wished. NULL with an exception set on failure. */
PyObject *scope_make(SpanState *state, const SpanWish *wish);

#endif
