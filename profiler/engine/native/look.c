#include "look.h"

#include <string.h>

#include "clock.h"
#include "number.h"
#include "state.h"
#include "word.h"

enum {
    STATE_FILES_MAX = 128,
    LEFT_OVER_GAPS = 4,
    WAKE_UP_NS = 60000,        /* CPU that waiting for the GIL costs by itself: it wakes every 5 ms */
    CLOCK_EVERY = 8,           /* passes after which a clock is read that need not be */
    GIL_SILENCE_NS = 15000000  /* one that has not woken for so long does not wait for it */
};

/* Whether the leaf stands at an instruction where it can wait for nothing but the GIL. */
static bool stands_at_handover(Sampler *s, const Walk *walk) {
    const Code *code = walk->frames[0].known;
    return code && codes_hands_over(&s->codes, code, walk->frames[0].unit);
}

/* Walk the thread's stack. False: it has none, or is gone. */
static bool look_deep(Sampler *s, Thread *thread) {
    Verdict verdict = walk_thread(&s->walker, thread->tstate, &thread->prediction,
                                  thread->holds_gil);
    const Walk *walk = &s->walker.walk;
    thread->has_stack = false;
    s->counters.retries += walk->attempts - 1;
    if (verdict == WALK_EMPTY || verdict == WALK_GONE) return false;
    thread->stack = number_walk(s, thread, verdict == WALK_TORN);
    thread->stack_flags = walk->omitted ? FLAG_TRUNCATED : 0;
    thread->span = walk->span_known ? walk->span : 0;
    thread->strand = walk->span_known ? walk->strand : 0;
    const SpanTrace *trace = &thread->prediction.trace;
    bool traced = walk->span_known && walk->context && trace->whole;
    thread->last_vars = traced ? word_at(trace->read[0].bytes, 0) : 0;
    thread->open_at = traced ? trace->open_at : 0;
    thread->last_frame = walk->frame;
    thread->last_instr = walk->leaf_instr;
    thread->last_context = walk->context;
    thread->has_stack = verdict == WALK_WHOLE && walk->span_known;
    thread->at_handover = thread->has_stack && !thread->holds_gil && stands_at_handover(s, walk);
    if (!walk->span_known) {
        thread->stack_flags |= FLAG_SKEWED;
        s->counters.skewed++;
    }
    if (verdict == WALK_TORN) {
        thread->stack_flags |= FLAG_TORN;
        s->counters.torn++;
    }
    return true;
}

bool look_at_clock(const Sampler *s, const Thread *thread, int row) {
    if (thread->quiet < LONG_QUIET || thread->cpu_ns < 0) return true;
    uint32_t count = (uint32_t)s->threads.count;
    return ((uint32_t)row + count - s->clock_turn % count) % count < CLOCKS_A_PASS;
}

/* What a look at one thread found, beside the stack. */
typedef struct {
    bool moved, has_clock, on_cpu;
    bool settled; /* cannot have run: its clock, which waiting moves on as well, need not be read */
    int64_t used_ns; /* CPU since the look before */
    State state;
} Look;

/* Whether the thread is on a processor now: its clock goes on since it was read, some microseconds
 * ago. (That it used all of the time until then does not say so: it may just have gone to sleep.) */
static bool is_on_cpu(const Thread *thread, const Look *look) {
    return look->has_clock && look->used_ns && clock_thread_ns(thread->native_id) > thread->cpu_ns;
}

/* Files stay open only where the sampler thread has a table of descriptors of its own. */
static State ask_kernel(Sampler *s, Thread *thread) {
    bool keep = s->memory.way == MEMORY_WRITE_FILE &&
                (thread->state_file >= 0 || s->state_files < STATE_FILES_MAX);
    int before = thread->state_file, *file = keep ? &thread->state_file : NULL;
    State state = state_from_kernel(thread->native_id, file, thread->gil, s->layout.gil_size);
    s->state_files += (thread->state_file >= 0) - (before >= 0);
    return state;
}

static State state_of(Sampler *s, Thread *thread, Look *look) {
    if (thread->holds_gil) return thread->collecting ? STATE_GC : STATE_RUNNING;
    if (thread->shadowed) return STATE_IDLE;
    if (thread->wants_gil) return STATE_GIL_WAIT;
    bool blocked = thread->last_state == STATE_IDLE || thread->last_state == STATE_GIL_WAIT;
    if (!look->used_ns && !look->moved && blocked) return (State)thread->last_state;
    if (thread->has_stack && thread->at_handover) return STATE_GIL_WAIT; /* asks nobody */
    look->on_cpu = is_on_cpu(thread, look);
    return look->on_cpu ? STATE_RUNNING /* in C, without the GIL */ : ask_kernel(s, thread);
}

/* CPU time to book to a sample: what the thread used and no sample has yet, as much as fits the
 * time that the sample stands for. What a thread used between passes, in bursts that none of them
 * saw, goes to the samples that do see it at work: each stands for as much time, so that shares
 * are those of samples taken at random. If ever more is left over they take twice as much.
 *
 * A thread that holds the GIL is at work even if it is not on a processor: it may be this very
 * pass that has taken it away. One that stands where it stood, blocked, a pass before, has used
 * what it used since then right there, and no more: it may just be waking up. */
static int64_t book_cpu(Thread *thread, State state, bool moved, bool on_cpu, int64_t used_ns,
                        int64_t gap_ns) {
    bool running = state == STATE_RUNNING || state == STATE_GC;
    bool at_work = running && (thread->holds_gil || on_cpu || used_ns > gap_ns / 2);
    if (!at_work || thread->shadowed) return 0;
    int64_t most = thread->cpu_unbooked > LEFT_OVER_GAPS * gap_ns ? 2 * gap_ns : gap_ns;
    if (!moved && thread->last_state == STATE_IDLE && used_ns < most) most = used_ns;
    int64_t booked = (thread->cpu_unbooked < most ? thread->cpu_unbooked : most) / TICK_NS;
    thread->cpu_unbooked -= booked * TICK_NS;
    return booked;
}

static void read_clock(Thread *thread, int64_t gap_ns, Look *look) {
    int64_t cpu_ns = clock_thread_ns(thread->native_id);
    look->has_clock = cpu_ns >= 0;
    if (!look->has_clock) {
        look->used_ns = gap_ns;
        return;
    }
    look->used_ns = cpu_ns - thread->cpu_ns;
    /* New since the pass before, so no more than that is its own: the system's thread may be older,
     * with a state in another interpreter. */
    if (thread->cpu_ns < 0) look->used_ns = cpu_ns < gap_ns ? cpu_ns : gap_ns;
    thread->cpu_ns = cpu_ns;
}

static bool was_blocked_here(const Thread *thread) {
    for (int i = 0; i < IDLE_PLACES && thread->idle_instr[i]; i++)
        if (thread->idle_instr[i] == thread->last_instr) return true;
    return false;
}

/* Whether a thread that waited for the GIL still does. It may have had it meanwhile, and be blocked
 * at the same place again: where it was seen blocked before, or when it wakes no more to look for
 * the GIL, the kernel is asked. */
static bool waits_on(Sampler *s, Thread *thread, const Look *look) {
    if (look->moved || thread->holds_gil || look->used_ns >= WAKE_UP_NS ||
        thread->last_state != STATE_GIL_WAIT)
        return false;
    bool doubtful = look->used_ns ? was_blocked_here(thread) : thread->silent_ns >= GIL_SILENCE_NS;
    if (!doubtful) return true;
    thread->silent_ns = 0;
    if (ask_kernel(s, thread) == STATE_GIL_WAIT) return true;
    thread->last_state = STATE_UNKNOWN;
    return false;
}

/* Whether it waited for the GIL and cannot have had it since. What waiting costs, waking up every
 * 5 ms, is told by its clock all the same when that is read next. */
static bool is_settled(const Sampler *s, const Thread *thread, const Look *look) {
    return s->threads.settled && !look->moved && !thread->holds_gil && !thread->shadowed &&
           thread->last_state == STATE_GIL_WAIT && (s->threads.pass + thread->index) % CLOCK_EVERY;
}

/* False: the thread has no stack, or is gone. */
static bool examine(Sampler *s, Thread *thread, int64_t gap_ns, bool clock_due, Look *look) {
    *look = (Look){.has_clock = true};
    look->moved = !thread->has_stack || thread_has_moved(thread) || thread->span_moved;
    look->settled = is_settled(s, thread, look);
    if (look->moved || thread->holds_gil || (clock_due && !look->settled))
        read_clock(thread, gap_ns, look);
    if (!look->settled) thread->silent_ns = look->used_ns ? 0 : thread->silent_ns + gap_ns;
    if (look->settled || waits_on(s, thread, look)) {
        look->state = STATE_GIL_WAIT;
        return true;
    }
    if ((look->moved || look->used_ns) && !look_deep(s, thread)) return false;
    look->state = state_of(s, thread, look);
    if (!look->has_clock && !thread->holds_gil) look->state = STATE_UNKNOWN;
    return true;
}

/* A thread that runs where it was last seen blocked, and has not used much of the time since, has
 * just been woken: often by the very timer interrupt that woke the sampler, since the kernel lets
 * late timers go off together. Such moments would be seen far more often than they are. */
static bool just_woke(const Thread *thread, const Look *look, int64_t gap_ns) {
    return look->state == STATE_RUNNING && look->used_ns <= gap_ns / 2 && was_blocked_here(thread);
}

static void note_idle(Thread *thread) {
    uintptr_t *places = thread->idle_instr;
    int i = 0;
    while (i < IDLE_PLACES - 1 && places[i] && places[i] != thread->last_instr) i++;
    memmove(places + 1, places, (size_t)i * sizeof *places);
    places[0] = thread->last_instr;
}

/* What a new thread is charged at least: CPU time that it used, or how long it has had a span. */
static int64_t new_ticks(Sampler *s, const Thread *thread, int64_t used_ns) {
    int64_t used = used_ns / TICK_NS, since_ns = 0;
    if (thread->open_at) since_ns = context_since(&s->memory, thread->open_at, thread->ident);
    int64_t open = since_ns ? s->before - since_ns / TICK_NS : 0;
    return used > open ? used : open;
}

void look_at(Sampler *s, Thread *thread, int64_t gap_ns, bool clock_due, int64_t *used) {
    Look look;
    bool is_new = thread->cpu_ns < 0;
    thread->now_valid = false;
    if (!thread->native_id || !thread->frame || sampler_hides(s, thread->ident)) return;
    if (!examine(s, thread, gap_ns, clock_due, &look)) return;
    *used += look.used_ns;
    if (look.has_clock && !thread->shadowed) thread->cpu_unbooked += look.used_ns;
    /* Left to the next pass, which comes at a moment that has nothing to do with this one. */
    thread->put_off = !thread->put_off && !is_new && just_woke(thread, &look, gap_ns);
    if (thread->put_off) return;
    int64_t booked = book_cpu(thread, look.state, look.moved, look.on_cpu, look.used_ns, gap_ns);
    if (!look.settled) thread->quiet = look.used_ns ? 0 : thread->quiet + 1;
    thread->last_state = (uint8_t)look.state;
    if (look.state == STATE_IDLE) note_idle(thread);
    if (s->gate && thread->span < 0) return; /* of a transaction that is not recorded */
    uint8_t holds = thread->holds_gil ? FLAG_HOLDS_GIL : 0;
    thread->now = (Sample){.stack = thread->stack,
                           .span = thread->span > 0 ? thread->span : 0,
                           .cpu_ticks = booked,
                           .wall_ticks = is_new ? new_ticks(s, thread, look.used_ns) : -1,
                           .state = (uint8_t)look.state,
                           .flags = thread->stack_flags | holds};
    thread->now_valid = true;
}
