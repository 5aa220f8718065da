/* One pass: look at every thread once, and decide what its time was spent on.
 *
 * A sample is held back until the next pass, and grows as long as its thread does not run: a
 * parked thread costs a few reads a pass and one row a drain. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sampler.h"
#include "state.h"

enum {
    SUSPENDED_INTERVALS = 10,
    SUSPENDED_TICKS = 100000000 / TICK_NS, /* at high rates a busy machine is late by more */
    SUSPENDED_CPU_SHARE = 10,
    CLOCKS_A_PASS = 16,  /* CPU clocks of parked threads read in one pass */
    STATE_FILES_MAX = 128,
    LEFT_OVER_GAPS = 4,
    WAKE_UP_NS = 60000,  /* CPU that waiting for the GIL costs by itself: it wakes every 5 ms */
    LAUNCH_DEPTH = 12    /* frames from the root among which those of `flamespan run` are */
};

static bool is_hidden(const Sampler *s, uint64_t ident) {
    for (int i = 0; i < s->hidden_count; i++)
        if (s->hidden[i] == ident) return true;
    return false;
}

/* Python hides frames that are still being made, and those of its own between a class and its
 * __init__ (_PyFrame_IsIncomplete). */
static bool is_unfinished(const Sampler *s, const Code *code, const WalkFrame *frame) {
    return frame->owner != s->layout.owner_generator && frame->unit < code->traceable;
}

static bool is_launch(const Code *code) {
    return code->launch == LAUNCH_OURS || code->launch == LAUNCH_MACHINERY;
}

/* How many frames from the leaf on are the program's own: `flamespan run` puts a few below. */
static int first_own(const Walk *walk, Code **codes) {
    int end = walk->count;
    for (int i = end - 1; i >= 0 && i >= end - LAUNCH_DEPTH; i--) {
        if (!codes[i] || codes[i]->launch != LAUNCH_OURS) continue;
        while (i && codes[i - 1] && is_launch(codes[i - 1])) i--;
        return i;
    }
    return end;
}

static uint32_t pseudo(Sampler *s, uint32_t parent, const char *name, uint32_t len) {
    uint32_t function = names_function(&s->names, name, len, "", 0, 0);
    return names_stack(&s->names, parent, names_frame(&s->names, function, 0));
}

static uint32_t omitted(Sampler *s, uint32_t parent, int count) {
    char name[48], digits[12];
    uint32_t len = 0, n = 0;
    do digits[n++] = (char)('0' + count % 10);
    while ((count /= 10));
    name[len++] = '<';
    while (n) name[len++] = digits[--n];
    memcpy(name + len, " frames omitted>", 16);
    return pseudo(s, parent, name, len + 16);
}

static PathStep *path_of(Thread *thread, int length) {
    if (length <= thread->path_room) return thread->path;
    int room = thread->path_room ? thread->path_room : 64;
    while (room < length) room *= 2;
    PathStep *path = realloc(thread->path, (size_t)room * sizeof *path);
    if (!path) return NULL;
    thread->path = path;
    thread->path_room = room;
    return path;
}

/* If the leaf stands in a call into C whose name is known, that is the leaf. */
static uint32_t with_c_call(Sampler *s, const Walk *walk, Code **codes, uint32_t stack) {
    if (!walk->count || !codes[0]) return stack;
    const Code *code = codes[0];
    const CCall *call = ccalls_find(&s->ccalls, code->addr, walk->frames[0].unit, code->print);
    if (!call) return stack;
    uint32_t function = names_function(&s->names, call->name, call->length, "<built-in>", 10, 0);
    return names_stack(&s->names, stack, names_frame(&s->names, function, 0));
}

/* Number the stack, root first. As long as it is the one of the look before, so are its numbers. */
static uint32_t number_stack(Sampler *s, Thread *thread, uint32_t under) {
    const Walk *walk = &s->walker.walk;
    Code *codes[walk->count ? walk->count : 1];
    for (int i = 0; i < walk->count; i++) codes[i] = codes_known(&s->codes, walk->frames[i].code);
    PathStep *path = path_of(thread, walk->count + 1);
    if (!path) return under;
    uint32_t stack = under;
    int depth = 0;
    bool same = !walk->omitted && !under;
    for (int i = first_own(walk, codes) - 1; i >= 0; i--) {
        if (walk->omitted && i == walk->leaf_count - 1) stack = omitted(s, stack, walk->omitted);
        Code *code = codes[i];
        if (!code || is_unfinished(s, code, &walk->frames[i])) continue;
        PathStep step = {code->serial, 0, walk->frames[i].unit};
        same = same && depth < thread->path_len && path[depth].serial == step.serial &&
               path[depth].unit == step.unit;
        stack = same ? path[depth].stack
                     : names_stack(&s->names, stack, codes_place(&s->codes, code, step.unit));
        step.stack = stack;
        path[depth++] = step;
    }
    thread->path_len = walk->omitted || under ? 0 : depth;
    return with_c_call(s, walk, codes, stack);
}

/* Walk the thread's stack. False: it has none, or is gone. */
static bool look_deep(Sampler *s, Thread *thread) {
    Verdict verdict = walk_thread(&s->walker, thread->tstate, &thread->prediction,
                                  thread->holds_gil);
    const Walk *walk = &s->walker.walk;
    thread->has_stack = false;
    s->counters.retries += walk->attempts - 1;
    if (verdict == WALK_EMPTY || verdict == WALK_GONE) return false;
    uint32_t under = verdict == WALK_TORN ? pseudo(s, 0, "<torn>", 6) : 0;
    thread->stack = number_stack(s, thread, under);
    thread->stack_flags = walk->omitted ? FLAG_TRUNCATED : 0;
    thread->span = walk->span_known ? walk->span : 0;
    thread->last_frame = walk->frame;
    thread->last_instr = walk->leaf_instr;
    thread->last_context = walk->context;
    thread->has_stack = verdict == WALK_WHOLE && walk->span_known;
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

/* Whether it is this parked thread's turn to have its CPU clock read. */
static bool clock_is_due(Sampler *s, const Thread *thread, uint32_t *parked) {
    if (thread->quiet < LONG_QUIET || thread->cpu_ns < 0) return true;
    uint32_t turn = (*parked)++;
    return turn >= s->clock_turn && turn < s->clock_turn + CLOCKS_A_PASS;
}

/* What a look at one thread found, beside the stack. */
typedef struct {
    bool moved, has_clock, on_cpu;
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

static State state_of(Sampler *s, Thread *thread, bool moved, int64_t used_ns, bool on_cpu) {
    if (thread->holds_gil) return thread->collecting ? STATE_GC : STATE_RUNNING;
    if (thread->shadowed) return STATE_IDLE;
    if (thread->wants_gil) return STATE_GIL_WAIT;
    bool blocked = thread->last_state == STATE_IDLE || thread->last_state == STATE_GIL_WAIT;
    if (!used_ns && !moved && blocked) return (State)thread->last_state;
    if (on_cpu) return STATE_RUNNING; /* in C, without the GIL */
    return ask_kernel(s, thread);
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

/* False: the thread has no stack, or is gone. */
static bool examine(Sampler *s, Thread *thread, int64_t gap_ns, uint32_t *parked, Look *look) {
    *look = (Look){.has_clock = true};
    look->moved = !thread->has_stack || thread->frame != thread->last_frame ||
                  thread->leaf_instr != thread->last_instr ||
                  thread->context != thread->last_context;
    if (look->moved || thread->holds_gil || clock_is_due(s, thread, parked))
        read_clock(thread, gap_ns, look);
    bool waits = !look->moved && !thread->holds_gil && look->used_ns < WAKE_UP_NS &&
                 thread->last_state == STATE_GIL_WAIT;
    if (waits) {
        look->state = STATE_GIL_WAIT;
        return true;
    }
    if ((look->moved || look->used_ns) && !look_deep(s, thread)) return false;
    look->on_cpu = !thread->holds_gil && is_on_cpu(thread, look);
    look->state = state_of(s, thread, look->moved, look->used_ns, look->on_cpu);
    if (!look->has_clock && !thread->holds_gil) look->state = STATE_UNKNOWN;
    return true;
}

/* A thread that runs where it was last seen blocked, and has not used much of the time since, has
 * just been woken: often by the very timer interrupt that woke the sampler, since the kernel lets
 * late timers go off together. Such moments would be seen far more often than they are. */
static bool just_woke(const Thread *thread, const Look *look, int64_t gap_ns) {
    if (look->state != STATE_RUNNING || look->used_ns > gap_ns / 2) return false;
    for (int i = 0; i < IDLE_PLACES && thread->idle_instr[i]; i++)
        if (thread->idle_instr[i] == thread->last_instr) return true;
    return false;
}

static void note_idle(Thread *thread) {
    uintptr_t *places = thread->idle_instr;
    int i = 0;
    while (i < IDLE_PLACES - 1 && places[i] && places[i] != thread->last_instr) i++;
    memmove(places + 1, places, (size_t)i * sizeof *places);
    places[0] = thread->last_instr;
}

/* Look at one thread: what it does now, and how much CPU it used since the last look. */
static void look_at(Sampler *s, Thread *thread, int64_t gap_ns, uint32_t *parked, int64_t *used) {
    Look look;
    bool is_new = thread->cpu_ns < 0;
    thread->now_valid = false;
    if (!thread->native_id || !thread->frame || is_hidden(s, thread->ident)) return;
    if (is_new && s->hold_new) return;
    if (!examine(s, thread, gap_ns, parked, &look)) return;
    *used += look.used_ns;
    if (look.has_clock && !thread->shadowed) thread->cpu_unbooked += look.used_ns;
    /* Left to the next pass, which comes at a moment that has nothing to do with this one. */
    thread->put_off = !thread->put_off && !is_new && just_woke(thread, &look, gap_ns);
    if (thread->put_off) return;
    int64_t booked = book_cpu(thread, look.state, look.moved, look.on_cpu, look.used_ns, gap_ns);
    thread->quiet = look.used_ns ? 0 : thread->quiet + 1;
    thread->last_state = (uint8_t)look.state;
    if (look.state == STATE_IDLE) note_idle(thread);
    if (s->gate && thread->span < 0) return; /* of a transaction that is not recorded */
    uint8_t holds = thread->holds_gil ? FLAG_HOLDS_GIL : 0;
    thread->now = (Sample){.stack = thread->stack,
                           .span = thread->span > 0 ? thread->span : 0,
                           .cpu_ticks = booked,
                           .wall_ticks = is_new ? look.used_ns / TICK_NS : -1,
                           .state = (uint8_t)look.state,
                           .flags = thread->stack_flags | holds};
    thread->now_valid = true;
}

/* Ticks of a long gap that this process cannot have run in: suspended, stopped, starved. */
static int64_t suspended(const Sampler *s, int64_t gap, int64_t used) {
    bool dead = gap > SUSPENDED_INTERVALS * s->interval_ticks && gap > SUSPENDED_TICKS &&
                used * SUSPENDED_CPU_SHARE < gap;
    return dead ? gap - s->interval_ticks : 0;
}

static void release(Sampler *s, Thread *thread) {
    if (!thread->held_valid) return;
    thread->held_valid = false;
    if (!samples_add(&s->samples, thread->index, &thread->held, s->charged)) s->counters.dropped++;
}

void pass_flush(Sampler *s) {
    for (int i = 0; i < s->threads.count; i++) release(s, s->threads.rows[i]);
}

/* The thread stands where it stood, and did not run: one sample tells both. */
static bool merges(const Sample *held, const Sample *now) {
    return held->stack == now->stack && held->span == now->span && held->state == now->state &&
           (now->state == STATE_IDLE || now->state == STATE_GIL_WAIT) && !held->cpu_ticks &&
           held->flags == now->flags;
}

static void release_moved(Sampler *s, int64_t charged, uint8_t flags) {
    for (int i = 0; i < s->threads.gone_count; i++) {
        Thread *gone = s->threads.gone[i];
        release(s, gone);
        s->state_files -= gone->state_file >= 0;
        state_close(&gone->state_file);
    }
    for (int i = 0; i < s->threads.count; i++) {
        Thread *thread = s->threads.rows[i];
        if (!thread->now_valid && thread->put_off) {
            thread->owed_ticks += charged;
            continue;
        }
        if (!thread->now_valid) {
            release(s, thread);
            continue;
        }
        Sample *now = &thread->now;
        /* A new thread is charged an interval or its CPU time, whichever is more. */
        int64_t least = now->wall_ticks > s->interval_ticks ? now->wall_ticks : s->interval_ticks;
        if (now->wall_ticks < 0 || least > charged) now->wall_ticks = charged;
        else now->wall_ticks = least;
        now->wall_ticks += thread->owed_ticks;
        thread->owed_ticks = 0;
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
    for (int i = 0; i < s->threads.count; i++) {
        Thread *thread = s->threads.rows[i];
        if (!thread->now_valid) continue;
        thread->held = thread->now;
        thread->held_valid = true;
        thread->now_valid = false;
    }
}

static void find_threads(Sampler *s) {
    threads_find(&s->threads);
    if (s->threads.birth_count) pthread_cond_broadcast(&s->news);
}

void pass_resume(Sampler *s) {
    s->before = clock_now_ns() / TICK_NS;
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
    samples_clear(&s->samples, s->recorded);
}

void pass_wake(Sampler *s) {
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
    s->asleep += now - s->before;
    s->before = now;
}

void pass_take(Sampler *s) {
    int64_t now = clock_now_ns() / TICK_NS, gap = now - s->before, used = 0;
    if (gap <= 0) return;
    find_threads(s);
    s->before = now;
    uint32_t parked = 0;
    for (int i = 0; i < s->threads.count; i++)
        if (s->threads.rows[i]->seen == s->threads.pass)
            look_at(s, s->threads.rows[i], gap * TICK_NS, &parked, &used);
    s->clock_turn = s->clock_turn + CLOCKS_A_PASS < parked ? s->clock_turn + CLOCKS_A_PASS : 0;
    int64_t charged = gap - suspended(s, gap, used / TICK_NS);
    int64_t missed = (charged + s->interval_ticks / 2) / s->interval_ticks - 1;
    if (missed < 0) missed = 0;
    bool late = charged * 2 > s->interval_ticks * 3;
    s->counters.passes++;
    s->counters.late += late;
    s->counters.missed += (uint64_t)missed;
    release_moved(s, charged, late ? FLAG_LATE : 0);
    int64_t since = now - s->recorded;
    if (!samples_begin_pass(&s->samples, since, since - charged, s->asleep, (uint32_t)missed)) {
        s->counters.dropped += (uint64_t)s->threads.count;
        return;
    }
    s->recorded = now;
    s->asleep = 0;
    s->charged = charged;
    hold_all(s);
}

void pass_restart(Sampler *s) {
    pass_flush(s);
    names_clear(&s->names);
    codes_clear(&s->codes);
    for (int i = 0; i < s->threads.count; i++) {
        s->threads.rows[i]->path_len = 0;
        s->threads.rows[i]->has_stack = false;
    }
}
