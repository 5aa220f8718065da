/* One stack, as one consistent look: frames, and the span active in the same moment.
 *
 * A running thread changes its stack every few dozen nanoseconds and cannot be held. So all
 * that a stack may consist of is predicted from the look before, copied in one system call
 * (memory.c), and then checked: see link_holds() in check.c for what makes a stack possible. A
 * look that fails is repeated; one that fails again and again keeps what is certain. */
#ifndef FLAMESPAN_WALK_H
#define FLAMESPAN_WALK_H

#include "code.h"
#include "context.h"
#include "layout.h"
#include "memory.h"

enum {
    CHUNKS_MAX = 64,
    FRAMES_MAX = 20000, /* frames looked at in one walk */
    OUTSIDE_MAX = 900,  /* frames outside the data stack: generators, entry points of C */
    ATTEMPTS_MAX = 16,
    WALK_PIECES = 2 * CHUNKS_MAX + OUTSIDE_MAX + TRACE_READS + 8
};

/* Where one thread's stack lay at the last look: what to copy at the next. */
typedef struct {
    uintptr_t chunk[CHUNKS_MAX]; /* data stack, newest first */
    uint32_t chunk_len[CHUNKS_MAX];
    int chunks;
    uint32_t top_used;  /* bytes of the newest chunk worth copying */
    uint32_t critical;  /* from here on they change quickly: copied right after the frame pointer */
    uintptr_t cframe;   /* 3.11, 3.12 */
    uintptr_t *outside; /* frames elsewhere, and the walk that last met each */
    uint32_t *met;
    int outsides, outside_room;
    SpanTrace trace;
} Prediction;

typedef struct {
    uintptr_t addr, code, instr;
    int32_t unit;
    uint8_t owner;
    bool running;   /* its stack pointer is not saved: it is executing, or in a call into C */
    bool from_c;    /* entered from C: the frame below it need not have saved anything */
    bool executing; /* a generator's frame: the generator is running */
} WalkFrame;

typedef enum { WALK_WHOLE, WALK_TORN, WALK_EMPTY, WALK_GONE } Verdict;

typedef struct {
    /* leaf side, leaf first; then, if there were more, the root side, leaf first too */
    WalkFrame *frames;
    int count;      /* frames kept in all */
    int leaf_count; /* of them on the leaf side */
    int omitted;    /* in between */
    int64_t span;
    bool span_known;
    uintptr_t frame, context; /* of the thread state when the stack was taken */
    uintptr_t leaf_instr;
    uint32_t attempts;
} Walk;

typedef struct {
    const Layout *layout;
    Memory *memory;
    Codes *codes;
    SpanKey *key;
    int leaf_max, root_max;
    uint32_t number; /* of walks so far */
    Piece *pieces;
    int count;
    int older, bulk, begin, cframe, tail, outside, trace, end, cframe_end; /* where in `pieces` */
    WalkFrame *ring;
    uintptr_t *addrs;
    uint64_t usual_ticks; /* what a gather takes when nothing interrupts it */
    Walk walk;
} Walker;

bool walker_init(Walker *walker, const Layout *layout, Memory *memory, Codes *codes, SpanKey *key,
                 int leaf_max, int root_max);
void walker_free(Walker *walker);

void prediction_free(Prediction *prediction);

/* Look at the thread whose state lies at `tstate`; the result is in walker->walk. */
Verdict walk_thread(Walker *walker, uintptr_t tstate, Prediction *prediction);

/* In check.c: how many frames from the leaf on form a possible stack. `whole`: all of them, and
 * the last is the thread's first frame. */
int walk_check(Walker *walker, const Prediction *prediction, bool *whole);

#endif
