/* The Python type that spans are made of, readable from outside without the GIL. */
#ifndef FLAMESPAN_SPANTYPE_H
#define FLAMESPAN_SPANTYPE_H

#include <Python.h>

/* Add the type to the module. -1 with an exception set on failure. */
int spantype_add(PyObject *module);

#endif
