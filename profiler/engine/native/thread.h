/* The interpreter's threads: found by following its own lists, known again at the next pass. */
#ifndef FLAMESPAN_THREAD_H
#define FLAMESPAN_THREAD_H

#include "layout.h"
#include "memory.h"
#include "samples.h"
#include "walk.h"

typedef struct {
    uint32_t serial, stack; /* of the code at this depth, and the stack that ends here */
    int32_t unit;
} PathStep;

enum { IDLE_PLACES = 4 };

typedef struct {
    /* what every pass touches comes first, for the sake of the cache */
    uintptr_t tstate;
    uint64_t seen; /* the pass that met it last */
    int first_piece;
    uint32_t index;
    uint32_t quiet; /* passes since it last ran */
    uint32_t stack;
    uint64_t ident, native_id; /* Python's and the system's number of the thread */

    /* as of this pass, from one copy of all threads */
    uintptr_t frame, leaf_instr, context;
    bool holds_gil, wants_gil, collecting, shadowed;

    /* as of its last look */
    bool has_stack;
    uint8_t stack_flags, last_state;
    bool now_valid, held_valid;
    bool put_off;       /* the pass before left it to this one */
    int64_t owed_ticks; /* wall time of that pass */
    uintptr_t last_frame, last_instr, last_context;
    int64_t span;
    int64_t cpu_ns;       /* -1: not read yet, or unknown */
    int64_t cpu_unbooked; /* used, but not while it was seen running */
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
    uintptr_t addr;
    int64_t id;
    bool collecting;
    uintptr_t gil;
    int first_piece;
} Interp;

typedef struct {
    uint32_t index;
    uint64_t ident, native_id;
    int64_t interp_id;
} Birth;

enum { INTERPS_MAX = 256, THREADS_MAX = 16384, THREAD_PIECES = 4 };
enum { LONG_QUIET = 4 /* passes without running after which a thread counts as parked */ };

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
    Thread **gone; /* threads that ended since the pass before: forget_gone() */
    int gone_count;
    Birth *births; /* threads met for the first time, not handed over yet */
    uint32_t birth_count, birth_room;
} Threads;

bool threads_init(Threads *threads, const Layout *layout, Memory *memory);
void threads_free(Threads *threads);

/* Copy the state of all threads, meet new ones, and move those that ended to `gone`. */
void threads_find(Threads *threads);
void threads_forget_gone(Threads *threads);

#endif
