/* From the frames of a look to the number of a stack. */
#ifndef FLAMESPAN_NUMBER_H
#define FLAMESPAN_NUMBER_H

#include "sampler.h"

/* The stack of the walk just made. Of one that is whole, frames stand as the program has them:
 * what `flamespan run` puts below it, and what is still being made, is left out. */
uint32_t number_walk(Sampler *sampler, Thread *thread, bool torn);

#endif
