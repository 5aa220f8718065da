/* How one living object leads to another: offsets that are followed from pointer to pointer. */
#ifndef FLAMESPAN_PATHS_H
#define FLAMESPAN_PATHS_H

#include <Python.h>

/* path_of(objects, targets, most): the shortest path, of `most` hops or fewer, that leads from each of
 * the objects to its target; a tuple of offsets in bytes, None: there is none, or memory cannot be
 * read here. Two pairs at least: what leads to the right place for one may be chance. */
PyObject *path_of(PyObject *module, PyObject *args);

#endif
