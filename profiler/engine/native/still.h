/* Passes in which parked threads need no look, since they cannot have moved. */
#ifndef FLAMESPAN_STILL_H
#define FLAMESPAN_STILL_H

#include "thread.h"

/* As threads_find(), but leaves threads asleep that were parked and cannot have run since: only
 * those in `awake` are to be looked at. False: any may have moved, look at all. */
bool still_find(Threads *threads);

/* Whether all that can have had the GIL since the look before (`before`: its interpreter then) are
 * seen to have moved, or have it now: whoever waited for it and has not moved waits on. */
bool still_knows_movers(const Threads *threads, const Interp *before);

/* Make up for the passes that let a thread sleep: its sample gets their wall time. */
void still_wake(const Threads *threads, Thread *thread);

#endif
