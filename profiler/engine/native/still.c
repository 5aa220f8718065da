/* To run Python a thread takes the GIL, and the GIL counts how often it went to another thread than
 * the one that had it last. While that count stands only that thread can have moved, and when it is
 * one more, only that one and the one that has it now. All others that are parked are left asleep. They are not even touched: 500 threads at 100 Hz cost 1.5 % of a core
 * in cache misses alone.
 *
 * The count is copied before the threads are. So if two passes see the same one, nobody else ran
 * from the first of them on. Interpreters that share a GIL hand it on uncounted: with more than one
 * all threads are looked at. So they are, in any case, every FULL_EVERY passes. */
#include "still.h"

#include "word.h"

/* Nobody has had the GIL but who had it last and who has it now, and no thread was born. */
static bool is_known_who_ran(const Threads *t, const Interp *before, const Interp *now,
                             uintptr_t next) {
    uintptr_t current = threads_current(t);
    bool known = !t->layout->runtime_current || !current || current == now->gil_holder;
    uint64_t switches = now->gil_switches - before->gil_switches;
    return known && !next && now->gil_holder && now->gil == before->gil &&
           now->head == before->head && switches <= 1 &&
           (switches == 1) == (now->gil_holder != before->gil_holder);
}

/* The thread that has the GIL now is looked at, too. True: it was asleep. */
static bool wake_holder(Threads *t, uintptr_t holder) {
    bool found = false;
    for (int i = 0; i < t->count; i++) {
        Thread *thread = t->rows[i];
        if (thread->tstate != holder || !thread->asleep) continue;
        still_wake(t, thread);
        t->awake[t->awake_count++] = thread;
        found = true;
    }
    return found;
}

/* Let parked threads fall asleep; the others are those to look at until one of them may have run. */
static void list_awake(Threads *t, uintptr_t holder) {
    t->awake_count = 0;
    for (int i = 0; i < t->count; i++) {
        Thread *thread = t->rows[i];
        thread->asleep = thread_is_parked(thread) && thread->tstate != holder;
        thread->asleep_from = t->asleep_ticks;
        if (!thread->asleep) t->awake[t->awake_count++] = thread;
    }
}

/* Copy the GIL's count and then the threads that may have moved, and of each of these the link that
 * leads to it: whether it ended. */
static void copy_awake(Threads *t) {
    int pieces = threads_list_heads(t);
    for (int i = 0; i < t->awake_count; i++) {
        Thread *thread = t->awake[i];
        uintptr_t link = thread->before + t->layout->ts_next;
        t->pieces[pieces++] = (Piece){.addr = link, .len = thread->before ? 8 : 0};
        pieces = threads_list(t, thread, pieces);
    }
    memory_gather(t->memory, t->pieces, pieces);
}

/* Take over what the copy says of the interpreter; false: it is not known who ran. */
static bool take_heads(Threads *t, Interp *now) {
    uintptr_t next = 0;
    *now = t->interps[0];
    if (!t->pieces[0].ok || (t->layout->runtime_current && !t->pieces[1].ok)) return false;
    uintptr_t at = word_at(piece_bytes(t->memory, &t->pieces[0]), 0);
    return at == now->addr && interp_read(t->layout, t->memory, now, t->pieces, &next) &&
           is_known_who_ran(t, &t->interps[0], now, next);
}

static bool take_awake(Threads *t, const Interp *interp, Thread *thread, uintptr_t current) {
    const Piece *link = &t->pieces[thread->first_piece - 1], *state = link + 1;
    if (!state->ok || (thread->before && !link->ok)) return false;
    const uint8_t *head = piece_bytes(t->memory, state);
    uintptr_t linked = thread->before ? word_at(piece_bytes(t->memory, link), 0) : interp->head;
    if (linked != thread->tstate || word_at(head, t->layout->ts_interp) != interp->addr)
        return false;
    threads_take(t, thread, interp, head, current);
    return true;
}

bool still_find(Threads *t) {
    bool was_still = t->still;
    Interp now;
    t->still = false;
    if (t->interp_count != 1) return false;
    if (!was_still) list_awake(t, t->interps[0].gil_holder);
    copy_awake(t);
    if (!take_heads(t, &now)) return false;
    if (now.gil_holder != t->interps[0].gil_holder && wake_holder(t, now.gil_holder)) {
        copy_awake(t);
        if (!take_heads(t, &now)) return false;
    }
    t->interps[0].gil_holder = now.gil_holder;
    t->interps[0].gil_switches = now.gil_switches;
    uintptr_t current = threads_current(t);
    t->still = true;
    for (int i = 0; i < t->awake_count; i++) {
        t->still = t->still && take_awake(t, &now, t->awake[i], current);
        t->awake[i]->first_piece = 0;
    }
    return t->still;
}

bool still_knows_movers(const Threads *t, const Interp *before) {
    const Interp *now = &t->interps[0];
    uintptr_t current = threads_current(t);
    uint64_t takers = now->gil_switches - before->gil_switches, seen = 0;
    if (!now->gil_holder || now->gil != before->gil || (current && current != now->gil_holder))
        return false;
    if (takers && now->gil_holder == before->gil_holder) takers--;
    Thread *const *rows = t->still ? t->awake : t->rows;
    int count = t->still ? t->awake_count : t->count;
    for (int i = 0; i < count && seen < takers; i++) {
        const Thread *thread = rows[i];
        if (thread->tstate == before->gil_holder) continue;
        bool moved = thread->seen == t->pass && thread->has_stack && thread_has_moved(thread);
        seen += moved || thread->tstate == now->gil_holder;
    }
    return seen >= takers;
}

void still_wake(const Threads *t, Thread *thread) {
    if (thread->asleep) thread->held.wall_ticks += t->asleep_ticks - thread->asleep_from;
    thread->asleep = false;
}
