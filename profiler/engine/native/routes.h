/* Routes as frameworks keep them, read without a call of Python. */
#ifndef FLAMESPAN_ROUTES_H
#define FLAMESPAN_ROUTES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Add the function to the module. -1 with an exception set on failure. */
int routes_add(PyObject *module);

#endif
