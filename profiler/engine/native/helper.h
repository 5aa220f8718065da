/* The Python type of threads that do our own work in Python. */
#ifndef FLAMESPAN_HELPER_H
#define FLAMESPAN_HELPER_H

#include <Python.h>

#include "sampler.h"

/* Add the type to the module. -1 with an exception set on failure. */
int helper_add(PyObject *module);

/* In module.c: what a _native.Sampler holds; NULL: it is none. */
Sampler *sampler_of(PyObject *object);

#endif
