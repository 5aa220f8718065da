#include "thread.h"

#include <stdlib.h>
#include <string.h>

#include "still.h"
#include "word.h"

enum { STEPS_MAX = THREADS_MAX };

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

static Interp *known_interp(Threads *t, uintptr_t addr) {
    for (int i = 0; i < t->interp_count; i++)
        if (t->interps[i].addr == addr) return &t->interps[i];
    return NULL;
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
    if (may_be_still && t->pass % FULL_EVERY && still_find(t)) {
        t->complete = true;
    } else {
        t->pass++; /* what the attempt has marked as seen counts no more */
        t->still = t->stirred = false;
        find_all(t);
    }
    t->settled = was_known && t->complete && t->interp_count == 1 && still_knows_movers(t, &before);
}
