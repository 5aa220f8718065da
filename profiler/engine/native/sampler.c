/* The life of the sampler thread: start, sleep and wake at jittered deadlines, stop. */
#include "sampler.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#endif

#include "budget.h"
#include "clock.h"

enum {
    STACK_BYTES = 1 << 20,
    SLICE_NS = 100000,
    RELEASE_TRIES = 2000,
    LINGER = 10 /* passes without an open transaction before it sleeps */
};

static const double JITTER = 0.4; /* gaps are drawn evenly from (1 +- JITTER) intervals */

void sampler_init_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

const char *sampler_init(Sampler *s, const Options *options) {
    memset(s, 0, sizeof *s);
    const char *trouble = layout_find(&s->layout);
    if (trouble) return trouble;
    s->options = *options;
    s->app_cores = 1;
    if (!names_init(&s->names) || !codes_init(&s->codes, &s->layout, &s->memory, &s->names) ||
        !walker_init(&s->walker, &s->layout, &s->memory, &s->codes, &s->options.key,
                     options->leaf_max, options->root_max) ||
        !threads_init(&s->threads, &s->layout, &s->memory) ||
        !samples_init(&s->samples, options->max_samples, options->max_passes) ||
        !samples_init(&s->spare, options->max_samples, options->max_passes) ||
        !waiters_init(&s->waiters, &s->layout, &s->memory, &s->codes, &s->options.key, &s->samples,
                      &s->threads)) {
        sampler_free(s);
        return "no memory for its tables";
    }
    s->codes.ours = options->ours;
    s->codes.machinery = options->machinery;
    pthread_mutex_init(&s->lock, NULL);
    nap_init(&s->nap);
    sampler_init_condition(&s->news);
    s->random = (uint64_t)clock_now_ns() | 1;
    return NULL;
}

void sampler_free(Sampler *s) {
    names_free(&s->names);
    codes_free(&s->codes);
    walker_free(&s->walker);
    threads_free(&s->threads);
    ccalls_free(&s->ccalls);
    samples_free(&s->samples);
    samples_free(&s->spare);
    waiters_free(&s->waiters);
}

static double uniform(Sampler *s) { /* xorshift64 (Marsaglia 2003) */
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (double)(s->random >> 11) / 9007199254740992.0;
}

struct timespec sampler_deadline(int64_t ns) {
#if defined(__APPLE__)
    ns += clock_ns_of(CLOCK_REALTIME) - clock_now_ns(); /* conditions know no other clock there */
#endif
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/* Sleep until a transaction is open. What a thread did until now is told; what it does meanwhile is
 * nobody's. Waking costs whoever opens a transaction a system call, so it is not done at once. */
static void sleep_at_gate(Sampler *s) {
    pass_flush(s);
    s->asleep_since_ns = s->before * TICK_NS;
    pthread_mutex_unlock(&s->lock);
    gate_wait(s->gate);
    pthread_mutex_lock(&s->lock);
    pass_wake(s);
    s->counters.asleep_ns += s->before * TICK_NS - s->asleep_since_ns;
    s->asleep_since_ns = 0;
}

static bool is_sleepy(Sampler *s, int *idle) {
    if (!s->gate) return false;
    *idle = gate_is_open(s->gate) ? 0 : *idle + 1;
    return *idle > LINGER;
}

/* With the lock held, except while asleep. */
static void sample_until_stopped(Sampler *s) {
    Spending spending = budget_begin();
    int64_t deadline = spending.at_ns;
    int idle = LINGER; /* there may be nothing to see yet */
    for (uint32_t pass = 1; !s->stopping; pass++) {
        if (is_sleepy(s, &idle)) {
            sleep_at_gate(s);
            deadline = clock_now_ns();
            idle = 0;
        }
        double gap = (double)s->interval_ticks * TICK_NS * (1 - JITTER + 2 * JITTER * uniform(s));
        int64_t now = clock_now_ns();
        deadline += (int64_t)gap;
        /* Overrun: take one pass soon, and let go of what was missed (it is counted). */
        if (deadline < now) deadline = now + (int64_t)gap / 8;
        pthread_mutex_unlock(&s->lock);
        nap_until(&s->nap, deadline);
        pthread_mutex_lock(&s->lock);
        if (s->stopping) break;
        pass_take(s);
        if (pass % BUDGET_EVERY == 0) budget_keep(s, &spending);
    }
}

/* Be woken on time, for a very short time: neither needs a privilege, nor does it matter if the
 * kernel knows nothing of it. */
static void set_up_thread(void) {
#if defined(__linux__)
    prctl(PR_SET_NAME, "flamespan", 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); /* else the kernel adds 50 us to every sleep */
    struct { /* sched_attr: a short slice is scheduled early (Linux 6.12 on) */
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } slice = {.size = sizeof slice, .flags = 8 /* keep the policy */,
               .nice = getpriority(PRIO_PROCESS, 0), .runtime_ns = SLICE_NS};
    syscall(SYS_sched_setattr, 0, &slice, 0);
#elif defined(__APPLE__)
    pthread_setname_np("flamespan");
#endif
}

static void *run(void *given) {
    Sampler *s = given;
    set_up_thread();
    pthread_mutex_lock(&s->lock);
#if defined(__linux__)
    s->runner_id = (uint64_t)syscall(SYS_gettid);
#endif
    s->failed = !memory_open(&s->memory, s->options.may_drop_files);
    if (!s->failed) {
        if (!s->before) pass_first(s);
        else pass_resume(s);
    }
    s->ready = true;
    pthread_cond_broadcast(&s->news);
    if (!s->failed) {
        sample_until_stopped(s);
        memory_close(&s->memory);
    }
    s->cpu_before_ns += clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    s->counters.sampler_cpu_ns = s->cpu_before_ns;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int sampler_begin_thread(pthread_t *runner, void *(*run)(void *), void *given, size_t stack_bytes) {
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    /* Of a known size: the default may be unlimited, or tiny (musl). */
    pthread_attr_setstacksize(&attributes, stack_bytes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the application's signals are not for us */
    int error = pthread_create(runner, &attributes, run, given);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

void sampler_join_thread(pthread_t runner, uint64_t native_id) {
    pthread_join(runner, NULL);
#if defined(__linux__)
    /* The kernel wakes who joins before it takes the thread out of its lists. */
    struct timespec pause = {.tv_nsec = 50000};
    for (int tries = 0; native_id && tries < RELEASE_TRIES; tries++) {
        if (syscall(SYS_tgkill, getpid(), (pid_t)native_id, 0) != 0) return;
        nanosleep(&pause, NULL);
    }
#else
    (void)native_id;
#endif
}

const char *sampler_start(Sampler *s, int64_t interval_ns) {
    pthread_mutex_lock(&s->lock);
    if (s->has_runner) {
        pthread_mutex_unlock(&s->lock);
        return NULL;
    }
    s->asked_ticks = interval_ns / TICK_NS > 0 ? interval_ns / TICK_NS : 1;
    s->interval_ticks = s->asked_ticks;
    s->counters.interval_ns = s->interval_ticks * TICK_NS;
    s->stopping = s->ready = s->failed = false;
    nap_allow(&s->nap);
    s->owner = getpid();
    if (sampler_begin_thread(&s->runner, run, s, STACK_BYTES) != 0) {
        pthread_mutex_unlock(&s->lock);
        return "the system gives no thread";
    }
    s->has_runner = true;
    while (!s->ready) pthread_cond_wait(&s->news, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (!s->failed) return NULL;
    sampler_stop(s);
    return "this process may not read its own memory by system calls";
}

void sampler_stop(Sampler *s) {
    if (s->owner != getpid()) {
        s->has_runner = false; /* a child of fork: the thread, and who held the lock, are not here */
        return;
    }
    pthread_mutex_lock(&s->lock);
    bool mine = s->has_runner;
    s->has_runner = false;
    s->stopping = true;
    pthread_t runner = s->runner;
    nap_end(&s->nap);
    if (mine && s->gate) gate_interrupt(s->gate);
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
    if (mine) sampler_join_thread(runner, s->runner_id);
}

void sampler_hide(Sampler *s, Own thread, bool hide) {
    pthread_mutex_lock(&s->lock);
    int kept = 0;
    for (int i = 0; i < s->hidden_count; i++)
        if (s->hidden[i].ident != thread.ident) s->hidden[kept++] = s->hidden[i];
    s->hidden_count = kept;
    if (hide && kept < HIDDEN_MAX) s->hidden[s->hidden_count++] = thread;
    pthread_mutex_unlock(&s->lock);
}

bool sampler_hides(const Sampler *s, uint64_t ident) {
    for (int i = 0; i < s->hidden_count; i++)
        if (s->hidden[i].ident == ident) return true;
    return false;
}

bool sampler_hides_native(const Sampler *s, uint64_t native_id) {
    for (int i = 0; i < s->hidden_count; i++)
        if (s->hidden[i].native_id == native_id) return true;
    return false;
}
