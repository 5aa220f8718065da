/* The interpreter's threads: found by following its own lists, known again at the next pass. */
#ifndef FLAMESPAN_THREAD_H
#define FLAMESPAN_THREAD_H

#include "interp.h"
#include "layout.h"
#include "memory.h"
#include "samples.h"
#include "state.h"
#include "walk.h"

typedef struct {
    uint32_t serial, stack; /* of the code at this depth, and the stack that ends here */
    int32_t unit;
} PathStep;

enum { IDLE_PLACES = 4 };

typedef struct {
    /* what every pass touches comes first, in one line of the cache */
    uintptr_t tstate;
    uint64_t seen; /* the pass that met it last */
    int first_piece;
    uint32_t index;
    uint32_t quiet; /* passes since it last ran */
    uint32_t stack;
    bool asleep; /* cannot have moved since the last pass that looked at it */
    bool has_stack, now_valid, held_valid, held_late;
    bool put_off; /* the pass before left it to this one, */
    bool owed_held; /* ... when `held` was the sample before */
    uint8_t stack_flags, last_state;
    int64_t asleep_from; /* Threads.asleep_ticks when it fell asleep: since then `held` grows */
    int64_t owed_ticks;   /* wall time of the pass that left it to this one */
    uint64_t held_strand; /* the transaction of a task's that `held` is of */

    uint64_t ident, native_id; /* Python's and the system's number of the thread */
    uintptr_t before;          /* the state whose `next` is this one; 0: first of its list */
    uintptr_t cframe;          /* what the state last pointed to (3.11, 3.12) */

    /* as of this pass, from one copy of all threads */
    uintptr_t frame, leaf_instr, context;
    bool holds_gil, wants_gil, collecting, shadowed;
    bool at_handover; /* its last instruction waits for nothing but the GIL */
    bool span_moved; /* the context has other values, or the span has been closed */

    /* as of its last look */
    uintptr_t last_frame, last_instr, last_context, last_vars;
    uintptr_t open_at; /* where its span says that it is open; 0: it has none */
    int64_t span;
    uint64_t strand; /* the transaction of a task that it belongs to: see strands.h */
    int64_t cpu_ns;       /* -1: not read yet, or unknown */
    int64_t cpu_unbooked; /* used, but not while it was seen running */
    int64_t silent_ns;    /* since it last used any */
    Sample now, held; /* of this pass; of the passes before, while it did not move */

    uintptr_t idle_instr[IDLE_PLACES]; /* where it was last seen blocked, latest first */
    int state_file; /* see state.h; -1: none */
    uintptr_t interp, gil;
    int64_t interp_id;
    PathStep *path;
    int path_len, path_room;
    Prediction prediction;
} Thread;

typedef struct {
    uint32_t index;
    uint64_t ident, native_id;
    int64_t interp_id;
} Birth;

#define NO_IDENT (~(uint64_t)0) /* of a thread that was not identified yet */

enum { THREADS_MAX = 16384, THREAD_PIECES = 7, TS_MAX = 512 };
enum {
    LONG_QUIET = 4,  /* passes without running after which a thread counts as parked */
    STILL_LEAST = 4, /* parked threads from which on it pays to ask first whether any can have moved */
    FULL_EVERY = 64  /* passes after which all are looked at in any case */
};

typedef struct {
    const Layout *layout;
    Memory *memory;
    Thread **rows; /* in the order of the interpreter's lists */
    int count, room;
    Interp interps[INTERPS_MAX];
    int interp_count;
    Piece *pieces;
    int pieces_room;
    uint64_t pass;
    uint32_t next_index;
    bool complete; /* the lists could be followed to their ends */
    int parked;    /* threads that have long not run, as of the last pass that saw all */
    bool still;    /* of this pass: nobody but those in `awake` can have moved */
    bool stirred;  /* the next pass must look at all */
    bool settled;  /* none but those that have moved has had the GIL since the pass before */
    Thread **awake;
    int awake_count;
    int64_t asleep_ticks; /* wall time of all still passes so far */
    Thread **gone; /* threads that ended since the pass before: forget_gone() */
    int gone_count;
    Birth *births; /* threads met for the first time, not handed over yet */
    uint32_t birth_count, birth_room;
} Threads;

/* Whether it has long been blocked, and is not about to be looked at again. */
static inline bool thread_is_parked(const Thread *thread) {
    return thread->quiet >= LONG_QUIET && thread->last_state == STATE_IDLE && thread->has_stack &&
           !thread->put_off && thread->held_valid && !thread->held_late && !thread->open_at;
}

/* Whether it stands elsewhere than at its last look. */
static inline bool thread_has_moved(const Thread *thread) {
    return thread->frame != thread->last_frame || thread->leaf_instr != thread->last_instr ||
           thread->context != thread->last_context;
}

bool threads_init(Threads *threads, const Layout *layout, Memory *memory);
void threads_free(Threads *threads);

/* Copy the state of all threads, meet new ones, and move those that ended to `gone`. */
void threads_find(Threads *threads);
void threads_forget_gone(Threads *threads);

/* In threadstate.c: the parts of a pass over threads, for still.c as well. List what to copy of the runtime and the
 * interpreters, or of a thread behind `count` pieces: they return how many pieces there are now. */
int threads_list_heads(Threads *threads);
int threads_list(const Threads *threads, Thread *thread, int count);
uintptr_t threads_current(const Threads *threads);
/* Take over what was copied: `head` is the first part of its state. One that is new, or another
 * thread in the memory of one that ended, is told as born. */
void threads_take(Threads *threads, Thread *thread, const Interp *interp, const uint8_t *head,
                  uintptr_t current);

#endif
