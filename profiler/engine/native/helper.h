/* The Python type of threads that do our own work in Python. */
#ifndef FLAMESPAN_HELPER_H
#define FLAMESPAN_HELPER_H

#include <Python.h>

/* Add the type to the module. -1 with an exception set on failure. */
int helper_add(PyObject *module);

#endif
