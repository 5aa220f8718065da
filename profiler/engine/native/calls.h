/* Which calls have been seen: a stack with one that was not is looked at again.
 *
 * The frames of a caller and of what it calls cannot be copied in the very same instant; some
 * hundred nanoseconds may lie between them when another core has just written to both. In that
 * time both may have ended, and others begun in their place. Such a mixture comes up once in ten
 * thousand looks at code that does nothing but call. What is never seen but so is no call. */
#ifndef FLAMESPAN_CALLS_H
#define FLAMESPAN_CALLS_H

#include "code.h"
#include "frames.h"
#include "names.h"

enum { DOUBTS_MAX = 16 };

typedef struct {
    Table sites; /* (caller, instruction) -> how often seen */
    Table calls; /* the same and what it called -> how often seen */
    struct {
        uintptr_t caller, callee; /* where the frames lie */
        uint64_t key;
    } doubts[DOUBTS_MAX]; /* calls of the look before in this walk that were not known */
    int doubt_count, rounds;
} Calls;

bool calls_init(Calls *calls);
void calls_free(Calls *calls);

/* Begin a walk. */
void calls_begin(Calls *calls);

/* Whether every call of the stack is known, or was there a look before as well. What is as it was
 * in `last`, the stack of the walk before, is not doubted. */
bool calls_known(Calls *calls, const Walk *walk, const WalkFrame *last, int last_count);

#endif
