/* The sampler: a thread of its own that never takes the GIL, and what it hands over. */
#ifndef FLAMESPAN_SAMPLER_H
#define FLAMESPAN_SAMPLER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ccalls.h"
#include "code.h"
#include "context.h"
#include "gate.h"
#include "layout.h"
#include "memory.h"
#include "names.h"
#include "nap.h"
#include "samples.h"
#include "thread.h"
#include "waiters.h"
#include "walk.h"

enum { TICK_NS = 1000, HIDDEN_MAX = 64 };
enum { FLAG_LATE = 1, FLAG_TORN = 2, FLAG_TRUNCATED = 4, FLAG_SKEWED = 8, FLAG_HOLDS_GIL = 16 };

typedef struct {
    int leaf_max, root_max; /* frames kept of a deep stack, at either end */
    uint32_t max_samples;   /* between two drains; more are dropped and counted */
    uint32_t max_passes;
    double budget; /* share of one core that sampling may cost; 0: no limit */
    bool may_drop_files;
    const char *ours, *machinery; /* files, one a line: see code.h */
    SpanKey key;
} Options;

typedef struct {
    uint64_t passes, late, missed, torn, skewed, dropped, retries, stretched;
    int64_t sampler_cpu_ns, interval_ns, asleep_ns;
} Counters;

typedef struct {
    uint64_t ident, native_id;
} Own; /* a thread of ours */

typedef struct {
    Layout layout;
    Options options;
    Memory memory;
    Names names;
    Codes codes;
    Walker walker;
    Threads threads;
    CCalls ccalls;
    Waiters waiters;
    Samples samples, spare; /* filled by the sampler; handed over by the drain before */
    Counters counters;
    Own hidden[HIDDEN_MAX];
    int hidden_count;

    int64_t asked_ticks, interval_ticks; /* asked, and as stretched by the budget */
    int64_t before;                      /* ticks of the pass before; 0: none yet */
    int64_t recorded;                    /* of the last pass that is in the samples */
    int64_t charged;                     /* wall ticks of that pass */
    Gate *gate;                          /* to sleep at while it is shut; NULL: never sleep */
    int64_t asleep_since_ns;             /* 0: awake */
    int64_t asleep;                      /* ticks slept since the last pass that is in the samples */
    int64_t cpu_before_ns;               /* of sampler threads that have ended */
    double pass_cost_ns;                 /* moving mean, waking up included */
    double app_cores;                    /* cores the application uses, decaying slowly */
    uint64_t random;
    int state_files; /* open now */
    uint32_t clock_turn; /* whose CPU clock is read next, of those that have long not run */

    pthread_mutex_t lock; /* held by a pass, by a drain, and by nobody else */
    pthread_cond_t news;
    Nap nap;
    pthread_t runner;
    uint64_t runner_id; /* the system's number; 0: unknown */
    pid_t owner; /* the process that started the runner */
    bool has_runner, stopping, ready, failed;
} Sampler;

/* Needs the GIL. NULL, or why there can be no sampler here. */
const char *sampler_init(Sampler *sampler, const Options *options);
void sampler_free(Sampler *sampler);

/* None of these needs the GIL; none should be called with it, since they wait for a pass to end. */
const char *sampler_start(Sampler *sampler, int64_t interval_ns);
void sampler_stop(Sampler *sampler);
void sampler_hide(Sampler *sampler, Own thread, bool hide);

/* With the lock held. Idents are used again as soon as a thread has ended, the system's numbers are
 * not: what is told later has to be asked by those. */
bool sampler_hides(const Sampler *sampler, uint64_t ident);
bool sampler_hides_native(const Sampler *sampler, uint64_t native_id);

/* For conditions and deadlines of the monotonic clock, and threads that take no signals. */
void sampler_init_condition(pthread_cond_t *condition);
struct timespec sampler_deadline(int64_t ns);
int sampler_begin_thread(pthread_t *runner, void *(*run)(void *), void *given, size_t stack_bytes);

/* Until the system counts it no more: Python warns of fork in a process that has threads. */
void sampler_join_thread(pthread_t runner, uint64_t native_id);

/* In pass.c, with the lock held. */
void pass_first(Sampler *sampler);
void pass_resume(Sampler *sampler); /* in another thread than before */
void pass_wake(Sampler *sampler);   /* after sleep: nothing of it is charged to anybody */
void pass_take(Sampler *sampler);
void pass_flush(Sampler *sampler); /* what is held back of the pass before */
void pass_restart(Sampler *sampler); /* all numbers begin anew */

#endif
