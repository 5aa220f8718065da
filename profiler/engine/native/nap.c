#include "nap.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "clock.h"

#if defined(__linux__)

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void nap_init(Nap *nap) { atomic_init(&nap->ended, 0); }

void nap_until(Nap *nap, int64_t until_ns) {
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    int op = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG; /* a time of the monotonic clock */
    while (!atomic_load(&nap->ended)) {
        long done = syscall(SYS_futex, &nap->ended, op, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY);
        if (done == -1 && errno != EINTR) return;
    }
}

void nap_end(Nap *nap) {
    atomic_store(&nap->ended, 1);
    syscall(SYS_futex, &nap->ended, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
}

#else

void nap_init(Nap *nap) {
    atomic_init(&nap->ended, 0);
    pthread_mutex_init(&nap->lock, NULL);
    pthread_cond_init(&nap->wake, NULL);
}

void nap_until(Nap *nap, int64_t until_ns) {
    pthread_mutex_lock(&nap->lock);
    int done = 0;
    while (!atomic_load(&nap->ended) && done != ETIMEDOUT) {
        int64_t at = until_ns - clock_now_ns() + clock_ns_of(CLOCK_REALTIME);
        struct timespec until = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
        done = pthread_cond_timedwait(&nap->wake, &nap->lock, &until);
    }
    pthread_mutex_unlock(&nap->lock);
}

void nap_end(Nap *nap) {
    pthread_mutex_lock(&nap->lock);
    atomic_store(&nap->ended, 1);
    pthread_cond_signal(&nap->wake);
    pthread_mutex_unlock(&nap->lock);
}

#endif

void nap_allow(Nap *nap) { atomic_store(&nap->ended, 0); }
