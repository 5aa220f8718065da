/* Open transactions whose code can be suspended: those in a coroutine (so somewhere in a task), and
 * those in a greenlet.
 *
 * Written with the GIL, by the code that opens and closes spans; read by the sampler thread
 * without it. Every entry is guarded by its own count: odd while it is being written (a seqlock).
 * Nothing here keeps an object alive, so what an entry points to may be gone: the sampler reads it
 * by copies that cannot fault, and believes only what fits. */
#ifndef FLAMESPAN_STRANDS_H
#define FLAMESPAN_STRANDS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

enum { STRANDS_MAX = 1 << 16 };

/* Names one opening of an entry: its number in the low 16 bits, a serial number above. 0: none. */
typedef uint64_t StrandId;

typedef struct {
    StrandId id;         /* 0: free */
    uintptr_t owner;     /* the outermost coroutine of the task that entered it; or the greenlet */
    uintptr_t frame;     /* of a greenlet: the frame that entered it; 0: a coroutine */
    uintptr_t tstate;    /* the thread that last opened a span in it */
    int64_t span;        /* the innermost that is open in this task */
    int64_t start_ns;
} Strand;

/* Needed before any of the rest; with the GIL. */
void strands_use(const Layout *layout);

/* With the GIL. A transaction was entered: 0 if it can not be suspended, or there are too many. */
StrandId strands_open(int64_t span, int64_t start_ns);
/* A span inside of it was entered or left, so that `span` is the innermost now. Does nothing where
 * the running code is of another task than the one that entered the transaction. */
void strands_enter(StrandId id, int64_t span);
/* `span` is left, wherever that happens: if it was the innermost there, it is `now`. */
void strands_leave(StrandId id, int64_t span, int64_t now);
void strands_close(StrandId id);
/* All that are open now belong to recordings of the past: their names are up to here. */
StrandId strands_latest(void);
/* With the GIL: transactions so far that found no room. */
uint64_t strands_refused(void);

/* Without the GIL. Entries from number 1 to this may be in use. */
uint32_t strands_last(void);
/* A copy of entry `number`; false: free, or being written. */
bool strands_get(uint32_t number, Strand *strand);

static inline uint32_t strand_number(StrandId id) { return (uint32_t)(id & (STRANDS_MAX - 1)); }

#endif
