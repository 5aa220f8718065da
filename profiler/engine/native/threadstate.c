#include <stdlib.h>

#include "thread.h"
#include "word.h"

enum { BIRTHS_MAX = 1 << 20, IDENTIFY_EVERY = 16 };

/* What is copied of a thread: does it stand where it stood, and, of one that is not parked, who it
 * is and in what context. */
int threads_list(const Threads *t, Thread *thread, int n) {
    const Layout *l = t->layout;
    uintptr_t cframe = thread->cframe;
    thread->first_piece = n;
    bool parked = thread->quiet >= LONG_QUIET && (t->pass + thread->index) % IDENTIFY_EVERY;
    t->pieces[n++] = (Piece){.addr = thread->tstate, .len = l->ts_head};
    t->pieces[n++] = (Piece){.addr = cframe + l->cframe_frame, .len = cframe ? 8 : 0};
    t->pieces[n++] = (Piece){.addr = thread->last_frame + l->frame_instr,
                             .len = thread->last_frame ? 8 : 0};
    t->pieces[n++] = (Piece){.addr = thread->tstate + l->ts_rest,
                             .len = parked ? 0 : l->ts_rest_size};
    t->pieces[n++] = (Piece){.addr = thread->last_context + l->context_vars,
                             .len = thread->last_context ? 8 : 0};
    t->pieces[n++] = (Piece){.addr = thread->open_at, .len = thread->open_at ? 8 : 0};
    return n;
}

int threads_list_heads(Threads *t) {
    const Layout *l = t->layout;
    int n = 0;
    t->pieces[n++] = (Piece){.addr = l->runtime + l->runtime_interpreters, .len = 8};
    t->pieces[n++] = (Piece){.addr = l->runtime + l->runtime_current,
                             .len = l->runtime_current ? 8 : 0};
    for (int i = 0; i < t->interp_count; i++) {
        t->interps[i].first_piece = n;
        interp_list(l, &t->interps[i], t->pieces + n);
        n += INTERP_PIECES;
    }
    return n;
}

/* The running frame that a thread state points to, directly or not. */
static uintptr_t running_frame(Threads *t, Thread *thread, uintptr_t frame) {
    const Layout *l = t->layout;
    if (!l->frame_indirect || !frame) return frame;
    const Piece *cframe = &t->pieces[thread->first_piece + 1];
    if (thread->first_piece && frame == thread->cframe && cframe->len && cframe->ok)
        return word_at(piece_bytes(t->memory, cframe), 0);
    thread->cframe = frame;
    return memory_read(t->memory, frame + l->cframe_frame, &frame, sizeof frame) ? frame : 0;
}

static bool differs(const Threads *t, const Piece *piece, uintptr_t word) {
    return piece->len && (!piece->ok || word_at(piece_bytes(t->memory, piece), 0) != word);
}

static void take_state(Threads *t, Thread *thread, const Interp *interp, const uint8_t *head,
                       uintptr_t current) {
    const Layout *l = t->layout;
    const Piece *leaf = &t->pieces[thread->first_piece + 2];
    thread->frame = running_frame(t, thread, word_at(head, l->ts_frame));
    thread->leaf_instr = 0;
    if (thread->first_piece && thread->frame == thread->last_frame && leaf->len && leaf->ok)
        thread->leaf_instr = word_at(piece_bytes(t->memory, leaf), 0);
    thread->holds_gil = l->runtime_current ? current == thread->tstate
                                           : (u32_at(head, l->ts_status) & l->status_mask) != 0;
    thread->wants_gil = l->ts_gil_requested && u32_at(head, l->ts_gil_requested);
    thread->span_moved = thread->first_piece && (differs(t, leaf + 2, thread->last_vars) ||
                                                 differs(t, leaf + 3, 0));
    thread->collecting = interp->collecting;
    thread->gil = interp->gil;
    thread->interp = interp->addr;
    thread->interp_id = interp->id;
}

/* The thread state that holds the GIL, where the runtime tells. */
uintptr_t threads_current(const Threads *t) {
    return t->layout->runtime_current ? word_at(piece_bytes(t->memory, &t->pieces[1]), 0) : 0;
}

static void tell_birth(Threads *t, const Thread *thread, int64_t interp_id) {
    if (t->birth_count == t->birth_room) {
        uint32_t room = t->birth_room ? t->birth_room * 2 : 64;
        Birth *births = room > BIRTHS_MAX ? NULL : realloc(t->births, room * sizeof *births);
        if (!births) return;
        t->births = births;
        t->birth_room = room;
    }
    t->births[t->birth_count++] =
        (Birth){thread->index, thread->ident, thread->native_id, interp_id};
}

/* A thread state's memory may by now belong to another thread: then it is a new one. */
static void identify(Threads *t, Thread *thread, uint64_t ident, uint64_t native_id,
                     int64_t interp_id) {
    if (thread->ident == ident && thread->native_id == native_id) return;
    Thread fresh = {.tstate = thread->tstate, .ident = ident, .native_id = native_id,
                    .index = t->next_index++, .cpu_ns = -1, .state_file = -1};
    Thread *former = thread->ident == NO_IDENT ? NULL : malloc(sizeof *former);
    if (former) {
        *former = *thread;
        t->gone[t->gone_count++] = former;
    } else {
        prediction_free(&thread->prediction);
        free(thread->path);
    }
    *thread = fresh;
    tell_birth(t, thread, interp_id);
}

/* Read what is at the end of the state: who the thread is, and its context. False: it cannot be
 * read, or the thread has not begun to run. Of a parked thread it is not read at each pass. */
static bool take_rest(Threads *t, Thread *thread, const Interp *interp, const uint8_t *head) {
    const Layout *l = t->layout;
    const Piece *piece = &t->pieces[thread->first_piece + 3];
    uint8_t single[TS_MAX];
    const uint8_t *rest = single;
    /* Where something moved it need not be the same thread: states' memory is used again at once. */
    if (thread->first_piece && !piece->len &&
        running_frame(t, thread, word_at(head, l->ts_frame)) == thread->last_frame)
        return true;
    if (thread->first_piece && piece->len && piece->ok) rest = piece_bytes(t->memory, piece);
    else if (!memory_read(t->memory, thread->tstate + l->ts_rest, single, l->ts_rest_size))
        return false;
    uint64_t native_id = word_at(rest, l->ts_native_id - l->ts_rest);
    if (!native_id) return false;
    identify(t, thread, word_at(rest, l->ts_thread_id - l->ts_rest), native_id, interp->id);
    thread->context = word_at(rest, l->ts_context - l->ts_rest);
    return true;
}

void threads_take(Threads *t, Thread *thread, const Interp *interp, const uint8_t *head,
                  uintptr_t current) {
    if (take_rest(t, thread, interp, head)) take_state(t, thread, interp, head, current);
    thread->seen = t->pass;
}
