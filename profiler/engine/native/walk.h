/* One stack, as one consistent look: frames, and the span active in the same moment.
 *
 * A running thread changes its stack every few dozen nanoseconds and cannot be held. So all
 * that a stack may consist of is predicted from the look before and copied in one system call
 * (memory.c). Frames lie end to end and are copied in that order, neighbours within a few
 * nanoseconds of each other: the copy is a consistent picture of the stack near any one place. Which frame is the leaf follows from the copy, too: a frame that executes has no saved
 * stack pointer. See check.c for what makes a stack possible. A look that fails is repeated; one
 * that fails again and again keeps what is certain. */
#ifndef FLAMESPAN_WALK_H
#define FLAMESPAN_WALK_H

#include "calls.h"
#include "code.h"
#include "context.h"
#include "layout.h"
#include "memory.h"

enum {
    CHUNKS_MAX = 160,   /* of 16 KB each: FRAMES_MAX frames of a usual size */
    FRAMES_MAX = 20000, /* frames looked at in one walk */
    OUTSIDE_MAX = 900,  /* frames outside the data stack: generators, entry points of C */
    ATTEMPTS_MAX = 32,
    CFRAMES = 16,
    KNOWN_CODES = 16,
    STACK_PIECES = 1600, /* of the data stack: a page each, see add_stack() */
    WALK_PIECES = STACK_PIECES + OUTSIDE_MAX + TRACE_READS + CFRAMES + 2 * KNOWN_CODES + 8
};

/* Where one thread's stack lay at the last look: what to copy at the next. */
typedef struct {
    uintptr_t cframe[CFRAMES]; /* latest first (3.11, 3.12) */
    uintptr_t chunk[CHUNKS_MAX]; /* data stack, newest first */
    uint32_t chunk_len[CHUNKS_MAX];
    int chunks;
    int base; /* the newest one in use; those before it were, and may be again in no time */
    uint32_t top_used;  /* bytes of that one worth copying */
    uintptr_t *outside; /* frames elsewhere, and the walk that last met each */
    uint32_t *met;
    int outsides, outside_room;
    SpanTrace trace;
    WalkFrame *last; /* the stack that was seen, leaf first */
    int last_count, last_room;
    uintptr_t code[KNOWN_CODES]; /* what that stack runs, each once: checked along with the copy */
    int codes;
} Prediction;

typedef enum { WALK_WHOLE, WALK_TORN, WALK_EMPTY, WALK_GONE } Verdict;

typedef struct {
    const Layout *layout;
    Memory *memory;
    Codes *codes;
    SpanKey *key;
    int leaf_max, root_max;
    uint32_t number; /* of walks so far */
    Piece *pieces;
    int count;
    uint32_t bytes; /* of all pieces so far */
    int begin, cframe, stack, outside, trace, code, end; /* where in `pieces` */
    WalkFrame *ring;
    int seen; /* frames met so far in the attempt under way */
    uintptr_t *addrs;
    Calls calls;
    Walk walk;
} Walker;

bool walker_init(Walker *walker, const Layout *layout, Memory *memory, Codes *codes, SpanKey *key,
                 int leaf_max, int root_max);
void walker_free(Walker *walker);

void prediction_free(Prediction *prediction);

/* Look at the thread whose state lies at `tstate`; the result is in walker->walk. `running`: its
 * stack may change while it is copied. */
Verdict walk_thread(Walker *walker, uintptr_t tstate, Prediction *prediction, bool running);

/* In check.c: let go of frames at the leaf that had ended when they were copied. False: look again. */
bool walk_trim(Walker *walker);

/* In check.c: how many frames from the leaf on form a possible stack. `whole`: all of them, and
 * the last is the thread's first frame. */
int walk_check(Walker *walker, const Prediction *prediction, bool *whole);

#endif
