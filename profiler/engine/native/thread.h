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

typedef struct {
    uintptr_t tstate, interp;
    int64_t interp_id;
    uint64_t ident, native_id; /* Python's and the system's number of the thread */
    uint32_t index;
    uint64_t seen; /* the pass that met it last */
    int first_piece;

    /* as of this pass, from one copy of all threads */
    uintptr_t frame, leaf_instr, context;
    bool holds_gil, wants_gil, collecting, shadowed;
    uintptr_t gil;

    /* as of its last look */
    Prediction prediction;
    PathStep *path;
    int path_len, path_room;
    bool has_stack;
    uint32_t stack;
    int64_t span;
    uint8_t stack_flags;
    uintptr_t last_frame, last_instr, last_context;
    uint8_t last_state;
    int64_t cpu_ns;      /* -1: not read yet, or unknown */
    int64_t cpu_unbooked; /* used, but not while it was seen running */
    uint32_t quiet;      /* passes since it last ran */

    bool now_valid, held_valid;
    Sample now, held; /* of this pass; of the passes before, while it did not move */
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

enum { INTERPS_MAX = 256, THREADS_MAX = 16384, THREAD_PIECES = 3 };

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
