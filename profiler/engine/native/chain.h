/* Where a suspended task waits: its chain of coroutines, down to the innermost await.
 *
 * A suspended coroutine keeps what it awaits on top of its value stack. From there the chain goes
 * on: to another coroutine, through the small objects that wrap one, through a future to the task
 * behind it, through a group of tasks to one of them (fork.h). A suspended task is still, so the
 * chain is read piece by piece; then the ends of its part in each task are read again. */
#ifndef FLAMESPAN_CHAIN_H
#define FLAMESPAN_CHAIN_H

#include "code.h"
#include "fork.h"
#include "layout.h"
#include "memory.h"

enum { CHAIN_MAX = 128, WRAPS_MAX = 8, ENDS_MAX = 4, CHAIN_PIECES = ENDS_MAX + 3, END_MAX = 128 };

/* What cannot be known before asyncio is loaded: see awaits.py. */
typedef struct {
    struct {
        uintptr_t type;  /* objects of this type wrap what is awaited */
        uint32_t inner;  /* and point to it from here */
    } wraps[WRAPS_MAX];
    int wrap_count;
    uintptr_t waiter_type; /* what awaiting a future of C makes */
    uint32_t waiter_future;
    Forks forks;
} AwaitTypes;

typedef struct {
    uintptr_t frame, code, instr;
} ChainLink;

typedef struct {
    const Layout *layout;
    Memory *memory;
    Codes *codes;
    AwaitTypes types;
    ChainLink links[CHAIN_MAX]; /* outermost first */
    int count;
    uint64_t turn;    /* given: which of several tasks that it waits for the chain goes on in */
    bool many;        /* there were several */
    int ends[ENDS_MAX]; /* the first link, and the last one of each task's part */
    int end_count;
    uintptr_t context; /* of the task at the innermost end; 0: the one that the chain began with */
    bool ready;       /* what it waits for has happened: it waits for its loop */
    bool truncated;   /* there was more */
    bool unsettled;   /* it ends at a task that runs or is new, and may go on by itself */
    uintptr_t future; /* at the innermost end; 0: none */
    bool of_frames;   /* a greenlet's frames, not coroutines */
} Chain;

typedef enum { CHAIN_SUSPENDED, CHAIN_NEW, CHAIN_RUNS, CHAIN_GONE } ChainVerdict;

/* Read the chain of the task whose outermost coroutine is at `coroutine`. Anything but SUSPENDED:
 * it is new, runs, has ended, or moved while it was read. */
ChainVerdict chain_read(Chain *chain, uintptr_t coroutine);

/* The same of a suspended greenlet: the frames below `frame`, and those above it as far as they
 * can be told from frames that have ended. */
ChainVerdict chain_read_frames(Chain *chain, uintptr_t frame);

/* What tells whether a chain is still as it was: the ends of its parts, what the future at its end
 * says, and (if they are known) what the last task's context holds and that its span is open. */
typedef struct {
    uintptr_t frames[ENDS_MAX];
    uint64_t prints[ENDS_MAX];
    int count;
    uintptr_t future, context, open_at; /* 0: none */
    uintptr_t variables; /* of the context */
    uint32_t future_state;
} ChainMark;

/* The pieces to read, at most CHAIN_PIECES; how many they are. */
int chain_list(const Layout *layout, const AwaitTypes *types, const ChainMark *mark, Piece *pieces);
static inline int chain_count(const ChainMark *mark) {
    return mark->count + (mark->future != 0) + (mark->context != 0) + (mark->open_at != 0);
}
bool chain_is_as_before(const Memory *memory, const ChainMark *mark, const Piece *pieces);
/* Mark the chain just read; false: it has moved meanwhile. */
bool chain_mark(Chain *chain, ChainMark *mark);

#endif
