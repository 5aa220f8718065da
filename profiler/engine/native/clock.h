/* Clocks: the monotonic one that passes are timed by, and threads' CPU time. */
#ifndef FLAMESPAN_CLOCK_H
#define FLAMESPAN_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns_of(clockid_t which) {
    struct timespec now;
    if (clock_gettime(which, &now) != 0) return -1;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_now_ns(void) { return clock_ns_of(CLOCK_MONOTONIC); }

/* CPU time of the thread with the system's number `tid`; -1: unknown, or the thread is gone. The
 * kernel checks the number, so a dead thread's is an error, never another process's clock. */
static inline int64_t clock_thread_ns(uint64_t tid) {
#if defined(__linux__)
    return clock_ns_of((clockid_t)((~(uint32_t)tid << 3) | 6));
#else
    (void)tid;
    return -1;
#endif
}

#endif
