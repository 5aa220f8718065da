#include "thread.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "still.h"
#include "word.h"

#define NO_IDENT (~(uint64_t)0)

enum { TS_MAX = 512, STEPS_MAX = THREADS_MAX, BIRTHS_MAX = 1 << 20, IDENTIFY_EVERY = 16 };
enum { PREFETCH_MAX = 32, CACHE_LINE = 64 };

bool threads_init(Threads *t, const Layout *layout, Memory *memory) {
    memset(t, 0, sizeof *t);
    t->layout = layout;
    t->memory = memory;
    return true;
}

static void free_thread(Thread *thread) {
    prediction_free(&thread->prediction);
    free(thread->path);
    free(thread);
}

void threads_forget_gone(Threads *t) {
    for (int i = 0; i < t->gone_count; i++) free_thread(t->gone[i]);
    t->gone_count = 0;
}

void threads_free(Threads *t) {
    threads_forget_gone(t);
    for (int i = 0; i < t->count; i++) free_thread(t->rows[i]);
    free(t->rows);
    free(t->gone);
    free(t->awake);
    free(t->pieces);
    free(t->births);
    memset(t, 0, sizeof *t);
}

static bool make_room(Threads *t, int count) {
    if (count > t->room) {
        int room = t->room ? t->room : 64;
        while (room < count) room *= 2;
        Thread **rows = realloc(t->rows, (size_t)room * sizeof *rows);
        if (rows) t->rows = rows;
        Thread **gone = realloc(t->gone, 2 * (size_t)room * sizeof *gone);
        if (gone) t->gone = gone;
        Thread **awake = realloc(t->awake, (size_t)room * sizeof *awake);
        if (awake) t->awake = awake;
        if (!rows || !gone || !awake) return false;
        t->room = room;
    }
    int pieces = 2 + INTERP_PIECES * INTERPS_MAX + THREAD_PIECES * t->room;
    if (pieces > t->pieces_room) {
        Piece *larger = realloc(t->pieces, (size_t)pieces * sizeof *larger);
        if (!larger) return false;
        t->pieces = larger;
        t->pieces_room = pieces;
    }
    return true;
}

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

static Interp *known_interp(Threads *t, uintptr_t addr) {
    for (int i = 0; i < t->interp_count; i++)
        if (t->interps[i].addr == addr) return &t->interps[i];
    return NULL;
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

static Thread *known_thread(Threads *t, int count, uintptr_t tstate, int *cursor) {
    for (int n = 0; n < count; n++) {
        int i = *cursor + n < count ? *cursor + n : *cursor + n - count;
        if (t->rows[i]->tstate != tstate) continue;
        *cursor = i + 1 < count ? i + 1 : 0;
        return t->rows[i];
    }
    return NULL;
}

/* Follow one interpreter's list. New threads are put behind `count` in `rows`. */
static bool follow_list(Threads *t, const Interp *interp, uintptr_t at, uintptr_t current,
                        int *cursor, int *fresh) {
    const Layout *l = t->layout;
    uint8_t single[TS_MAX];
    uintptr_t before = 0;
    for (int steps = 0; at; steps++) {
        if (steps > STEPS_MAX) return false;
        Thread *thread = known_thread(t, t->count + *fresh, at, cursor);
        if (thread && thread->seen == t->pass) return false; /* a ring: torn */
        const uint8_t *state = single;
        if (thread && t->pieces[thread->first_piece].ok)
            state = piece_bytes(t->memory, &t->pieces[thread->first_piece]);
        else if (!memory_read(t->memory, at, single, l->ts_head))
            return false;
        if (word_at(state, l->ts_interp) != interp->addr) return false;
        if (!thread) {
            if (t->count + *fresh >= THREADS_MAX || !make_room(t, t->count + *fresh + 1))
                return false;
            thread = calloc(1, sizeof *thread);
            if (!thread) return false;
            thread->tstate = at;
            thread->cpu_ns = -1;
            thread->state_file = -1;
            thread->ident = NO_IDENT; /* identify() makes it new */
            t->rows[t->count + (*fresh)++] = thread;
        }
        threads_take(t, thread, interp, state, current);
        thread->before = before;
        before = at;
        at = word_at(state, l->ts_next);
    }
    return true;
}

/* One thread of the system may have a state in several interpreters; one of them runs. */
static void find_shadowed(Threads *t) {
    for (int i = 0; i < t->count; i++) {
        Thread *thread = t->rows[i];
        thread->shadowed = false;
        if (t->interp_count < 2 || thread->holds_gil) continue;
        for (int k = 0; k < t->count && !thread->shadowed; k++) {
            const Thread *other = t->rows[k];
            thread->shadowed = other->native_id == thread->native_id && other->holds_gil;
        }
    }
}

static void drop_unseen(Threads *t) {
    int kept = 0;
    t->parked = 0;
    for (int i = 0; i < t->count; i++) {
        Thread *thread = t->rows[i];
        bool ended = thread->seen != t->pass && t->complete;
        thread->first_piece = 0;
        still_wake(t, thread);
        t->parked += thread_is_parked(thread);
        if (ended) t->gone[t->gone_count++] = thread;
        else t->rows[kept++] = thread;
    }
    t->count = kept;
}

static void find_all(Threads *t) {
    int pieces = threads_list_heads(t);
    for (int i = 0; i < t->count; i++) pieces = threads_list(t, t->rows[i], pieces);
    memory_gather(t->memory, t->pieces, pieces);
    if (!t->pieces[0].ok || (t->layout->runtime_current && !t->pieces[1].ok)) return;
    uintptr_t at = word_at(piece_bytes(t->memory, &t->pieces[0]), 0);
    uintptr_t current = threads_current(t);
    Interp found[INTERPS_MAX];
    int interps = 0, cursor = 0, fresh = 0;
    t->complete = true;
    while (at && t->complete && interps < INTERPS_MAX) {
        Interp *known = known_interp(t, at);
        Interp *interp = &found[interps++];
        uintptr_t next = 0;
        *interp = known ? *known : (Interp){.addr = at};
        t->complete = interp_read(t->layout, t->memory, interp, t->pieces, &next) &&
                      follow_list(t, interp, interp->head, current, &cursor, &fresh);
        at = next;
    }
    t->count += fresh;
    memcpy(t->interps, found, (size_t)interps * sizeof *found);
    t->interp_count = interps;
    for (int i = 0; i < interps; i++) t->interps[i].first_piece = 0;
    drop_unseen(t);
    find_shadowed(t);
}

/* Fetch what the processor has dropped since the pass before, all at once rather than one by one. */
static void prefetch_rows(Thread *const *rows, int count) {
    for (int i = 0; i < count && i < PREFETCH_MAX; i++)
        for (size_t at = 0; at < offsetof(Thread, path); at += CACHE_LINE)
            __builtin_prefetch((const char *)rows[i] + at);
}

void threads_find(Threads *t) {
    Interp before = t->interps[0];
    bool was_known = t->complete && t->interp_count == 1;
    bool may_be_still = t->complete && !t->stirred && t->parked >= STILL_LEAST;
    t->pass++;
    threads_forget_gone(t);
    t->complete = t->settled = false;
    if (!make_room(t, t->count)) {
        t->still = false;
        return;
    }
    prefetch_rows(t->still ? t->awake : t->rows, t->still ? t->awake_count : t->count);
    if (may_be_still && t->pass % FULL_EVERY && still_find(t)) {
        t->complete = true;
    } else {
        t->pass++; /* what the attempt has marked as seen counts no more */
        t->still = t->stirred = false;
        find_all(t);
    }
    t->settled = was_known && t->complete && t->interp_count == 1 && still_knows_movers(t, &before);
}
