/* An awaitable around another one, that tells how that ended. */
#ifndef FLAMESPAN_STEP_H
#define FLAMESPAN_STEP_H

#include "request.h"

/* Told of what `inner` gave, or of its exception: one of them is NULL. `why` is what `step_make` was
 * given. May leave no exception behind. */
typedef void StepDone(Request *request, PyObject *result, PyObject *error, int why);

int step_add(PyObject *module, SpanState *state);

/* Steals `inner`, which may be NULL. NULL with an exception set on failure. */
PyObject *step_make(Request *request, PyObject *inner, StepDone *done, int why);

#endif
