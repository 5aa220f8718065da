/* The sampler as a Python object. */
#ifndef FLAMESPAN_SAMPLERTYPE_H
#define FLAMESPAN_SAMPLERTYPE_H

#include <Python.h>

#include "sampler.h"

int samplertype_add(PyObject *module);

/* The sampler in it; NULL if the object is none. */
Sampler *sampler_of(PyObject *object);

#endif
