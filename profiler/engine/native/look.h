/* One look at one thread: what it does, and what its time was spent on. */
#ifndef FLAMESPAN_LOOK_H
#define FLAMESPAN_LOOK_H

#include "sampler.h"

enum { CLOCKS_A_PASS = 8 /* CPU clocks of parked threads read in one pass */ };

/* Whether to read its CPU clock: of parked threads, it is the turn of some. `row`: its place. */
bool look_at_clock(const Sampler *sampler, const Thread *thread, int row);

/* What the thread does now is in thread->now, if now_valid; `*used` grows by the CPU nanoseconds
 * it used since it was looked at last. `gap_ns`: since the pass before. */
void look_at(Sampler *sampler, Thread *thread, int64_t gap_ns, bool clock_due, int64_t *used);

#endif
