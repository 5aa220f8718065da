/* One pass: every thread is looked at once.
 *
 * A sample is held back until the next pass, and grows as long as its thread does not run: a
 * parked thread costs a few reads a pass at most, and one row a drain. */
#include "clock.h"
#include "look.h"
#include "sampler.h"
#include "state.h"
#include "still.h"

enum {
    SUSPENDED_INTERVALS = 10,
    SUSPENDED_TICKS = 100000000 / TICK_NS, /* at high rates a busy machine is late by more */
    SUSPENDED_CPU_SHARE = 10,
    CLOCKS_ASLEEP = 3 /* CPU clocks of threads asleep read in one pass */
};

/* Ticks of a long gap that this process cannot have run in: suspended, stopped, starved. */
static int64_t suspended(const Sampler *s, int64_t gap, int64_t used) {
    bool dead = gap > SUSPENDED_INTERVALS * s->interval_ticks && gap > SUSPENDED_TICKS &&
                used * SUSPENDED_CPU_SHARE < gap;
    return dead ? gap - s->interval_ticks : 0;
}

static void release(Sampler *s, Thread *thread) {
    if (!thread->held_valid) return;
    still_wake(&s->threads, thread);
    thread->held_valid = false;
    if (!thread->held.wall_ticks && !thread->held.cpu_ticks) return;
    if (!samples_add(&s->samples, thread->index, &thread->held, s->charged)) s->counters.dropped++;
}

void pass_flush(Sampler *s) {
    for (int i = 0; i < s->threads.count; i++) {
        Thread *thread = s->threads.rows[i];
        bool asleep = thread->asleep;
        release(s, thread);
        if (!asleep) continue;
        thread->held.wall_ticks = 0; /* and it sleeps on */
        thread->held_valid = thread->asleep = true;
        thread->asleep_from = s->threads.asleep_ticks;
    }
    waiters_flush(&s->waiters);
}

/* The thread stands where it stood, and did not run: one sample tells both. */
static bool merges(const Sample *held, const Sample *now) {
    bool stands = now->state == STATE_IDLE || now->state == STATE_GIL_WAIT;
    return stands && !held->cpu_ticks && sample_is_like(held, now);
}

/* The threads that this pass looks at: all, or those that are not asleep. */
typedef struct {
    Thread **rows;
    int count;
} Looked;

static Looked looked_at(const Sampler *s) {
    const Threads *t = &s->threads;
    return t->still ? (Looked){t->awake, t->awake_count} : (Looked){t->rows, t->count};
}

/* One that is asleep stands where it stood; what it does now is what it did. */
static void look_again(Sampler *s, Thread *thread) {
    still_wake(&s->threads, thread);
    thread->now = thread->held;
    thread->now.wall_ticks = -1;
    thread->now_valid = true;
}

/* A late pass gets samples of its own. */
static void wake_all(Sampler *s) {
    for (int i = 0; i < s->threads.count; i++)
        if (s->threads.rows[i]->asleep) look_again(s, s->threads.rows[i]);
    s->threads.still = false;
}

/* Of those asleep, read the CPU clocks of some. One that ran all the same, in C, is looked at. */
static void check_asleep(Sampler *s, int64_t gap_ns, int64_t *used) {
    Threads *t = &s->threads;
    uint32_t count = (uint32_t)t->count;
    for (uint32_t i = 0; i < CLOCKS_ASLEEP && i < count; i++, s->clock_turn++) {
        Thread *thread = t->rows[s->clock_turn % count];
        if (!thread->asleep || clock_thread_ns(thread->native_id) == thread->cpu_ns) continue;
        still_wake(t, thread);
        t->awake[t->awake_count++] = thread;
        look_at(s, thread, gap_ns, true, used);
    }
}

/* It was left to this pass, and is another transaction's now, which has waited in the meantime and has
 * that time: what it is owed stays where it was blocked before. */
static void give_back(Sampler *s, Thread *thread, int64_t now_ticks) {
    if (!thread->owed_ticks || !thread->owed_held || thread->strand == thread->held_strand) return;
    Sample *before = &thread->held; /* released, but still known */
    before->wall_ticks = thread->owed_ticks;
    before->cpu_ticks = 0;
    waiters_account(&s->waiters, thread->held_strand, thread->owed_ticks, now_ticks);
    thread->owed_ticks = 0;
    if (!samples_add(&s->samples, thread->index, before, s->charged)) s->counters.dropped++;
}

static void release_moved(Sampler *s, int64_t now_ticks, int64_t charged, uint8_t flags) {
    for (int i = 0; i < s->threads.gone_count; i++) {
        Thread *gone = s->threads.gone[i];
        release(s, gone);
        s->state_files -= gone->state_file >= 0;
        state_close(&gone->state_file);
    }
    Looked looked = looked_at(s);
    for (int i = 0; i < looked.count; i++) {
        Thread *thread = looked.rows[i];
        if (!thread->now_valid && thread->put_off) {
            thread->owed_held = thread->held_valid;
            release(s, thread); /* it is of the pass before this one */
            thread->owed_ticks += charged;
            waiters_ran(&s->waiters, thread->strand, 0, now_ticks);
            continue;
        }
        if (!thread->now_valid) {
            release(s, thread);
            continue;
        }
        Sample *now = &thread->now;
        /* A new thread is charged an interval, or what it is known to have been there for. */
        int64_t least = now->wall_ticks > s->interval_ticks ? now->wall_ticks : s->interval_ticks;
        if (now->wall_ticks < 0 || least > charged) now->wall_ticks = charged;
        else now->wall_ticks = least;
        give_back(s, thread, now_ticks);
        now->wall_ticks += thread->owed_ticks;
        thread->owed_ticks = 0;
        waiters_ran(&s->waiters, thread->strand, now->wall_ticks, now_ticks);
        if (thread->stack_flags & FLAG_SKEWED) waiters_doubt(&s->waiters, thread->tstate);
        now->flags |= flags;
        if (thread->held_valid && merges(&thread->held, now)) {
            now->wall_ticks += thread->held.wall_ticks;
            thread->held_valid = false;
        } else {
            release(s, thread);
        }
    }
}

static void hold_all(Sampler *s) {
    Looked looked = looked_at(s);
    for (int i = 0; i < looked.count; i++) {
        Thread *thread = looked.rows[i];
        if (!thread->now_valid) continue;
        thread->held = thread->now;
        thread->held_strand = thread->strand;
        thread->held_late = thread->held.flags & FLAG_LATE;
        thread->held_valid = true;
        thread->now_valid = false;
    }
}

static void find_threads(Sampler *s) {
    threads_find(&s->threads);
    if (s->threads.birth_count) pthread_cond_broadcast(&s->news);
}

void pass_resume(Sampler *s) {
    int64_t now = clock_now_ns() / TICK_NS;
    waiters_exclude(&s->waiters, s->before, now - s->before); /* nobody looked: for a fork */
    s->before = now;
    s->state_files = 0; /* those of the sampler thread before went with it */
    for (int i = 0; i < s->threads.count; i++) s->threads.rows[i]->state_file = -1;
    for (int i = 0; i < s->threads.gone_count; i++) s->threads.gone[i]->state_file = -1;
}

void pass_first(Sampler *s) {
    find_threads(s);
    for (int i = 0; i < s->threads.count; i++) {
        Thread *thread = s->threads.rows[i];
        if (thread->native_id) thread->cpu_ns = clock_thread_ns(thread->native_id);
    }
    s->before = s->recorded = clock_now_ns() / TICK_NS;
    s->waiters.first_ticks = s->recorded;
    samples_clear(&s->samples, s->recorded);
}

void pass_wake(Sampler *s) {
    s->threads.stirred = true;
    find_threads(s);
    for (int i = 0; i < s->threads.gone_count; i++) {
        s->state_files -= s->threads.gone[i]->state_file >= 0;
        state_close(&s->threads.gone[i]->state_file);
    }
    for (int i = 0; i < s->threads.count; i++) {
        Thread *thread = s->threads.rows[i];
        if (thread->native_id) thread->cpu_ns = clock_thread_ns(thread->native_id);
        thread->cpu_unbooked = thread->owed_ticks = 0;
        thread->put_off = thread->has_stack = false; /* it may stand there by another way */
        thread->last_state = STATE_UNKNOWN;
    }
    int64_t now = clock_now_ns() / TICK_NS;
    waiters_exclude(&s->waiters, s->before, now - s->before);
    s->asleep += now - s->before;
    s->before = now;
}

/* Up to half of what a pass may cost goes into looking at suspended tasks. */
static double allowed_for_waiters(const Sampler *s) {
    double share = s->options.budget * s->app_cores;
    return share > 0 ? share / 2 * (double)s->interval_ticks * TICK_NS : -1;
}

void pass_take(Sampler *s) {
    int64_t now = clock_now_ns() / TICK_NS, gap = now - s->before, used = 0;
    if (gap <= 0) return;
    find_threads(s);
    s->before = now;
    Looked looked = looked_at(s);
    for (int i = 0; i < looked.count; i++)
        if (looked.rows[i]->seen == s->threads.pass)
            look_at(s, looked.rows[i], gap * TICK_NS, look_at_clock(s, looked.rows[i], i), &used);
    if (s->threads.still) check_asleep(s, gap * TICK_NS, &used);
    else s->clock_turn += CLOCKS_A_PASS;
    int64_t charged = gap - suspended(s, gap, used / TICK_NS);
    int64_t missed = (charged + s->interval_ticks / 2) / s->interval_ticks - 1;
    if (missed < 0) missed = 0;
    bool late = charged * 2 > s->interval_ticks * 3;
    s->counters.passes++;
    s->counters.late += late;
    s->counters.missed += (uint64_t)missed;
    if (s->threads.still && late) wake_all(s);
    waiters_begin(&s->waiters, now - gap, gap - charged);
    release_moved(s, now, charged, late ? FLAG_LATE : 0);
    waiters_look(&s->waiters, now, allowed_for_waiters(s));
    if (s->threads.still) s->threads.asleep_ticks += charged;
    int64_t since = now - s->recorded;
    if (!samples_begin_pass(&s->samples, since, since - charged, s->asleep, (uint32_t)missed)) {
        s->counters.dropped += (uint64_t)s->threads.count;
        return;
    }
    s->recorded = now;
    s->asleep = 0;
    s->charged = charged;
    hold_all(s);
    waiters_take(&s->waiters, charged);
}

void pass_restart(Sampler *s) {
    pass_flush(s);
    s->threads.stirred = true; /* those asleep are of stacks that have no number now */
    names_clear(&s->names);
    codes_clear(&s->codes);
    waiters_restart(&s->waiters);
    for (int i = 0; i < s->threads.count; i++) {
        s->threads.rows[i]->path_len = 0;
        s->threads.rows[i]->owed_held = false;
        s->threads.rows[i]->has_stack = false;
    }
}
