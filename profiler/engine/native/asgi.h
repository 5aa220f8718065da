/* ASGI: what passes between server and application for a request or websocket. */
#ifndef FLAMESPAN_ASGI_H
#define FLAMESPAN_ASGI_H

#include "request.h"

/* Add types and functions to the module. -1 with an exception set on failure. */
int asgi_add(PyObject *module, SpanState *state);

#endif
