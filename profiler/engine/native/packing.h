/* Columns of numbers as a sample file has them: what `columns.py` does, without its price. */
#ifndef FLAMESPAN_PACKING_H
#define FLAMESPAN_PACKING_H

#include <Python.h>

extern PyMethodDef packing_functions[];

#endif
