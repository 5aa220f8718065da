/* WSGI: what passes between server and application for a request. */
#ifndef FLAMESPAN_WSGI_H
#define FLAMESPAN_WSGI_H

#include "request.h"

/* Add type and functions to the module. -1 with an exception set on failure. */
int wsgi_add(PyObject *module, SpanState *state);

#endif
