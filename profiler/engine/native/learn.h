/* What is learnt from living objects: how awaitables lead on, and which greenlet runs. */
#ifndef FLAMESPAN_LEARN_H
#define FLAMESPAN_LEARN_H

#include <Python.h>

/* Add the functions to the module. -1 with an exception set on failure. */
int learn_add(PyObject *module);

#endif
