/* A sleep until a certain time, which another thread can end.
 *
 * A condition variable would do. But whoever wakes from one holds its mutex in the contended way, so
 * that each pass pays for a system call when it lets go of it: a tenth of what an idle pass costs. */
#ifndef FLAMESPAN_NAP_H
#define FLAMESPAN_NAP_H

#include <pthread.h>
#include <stdint.h>

typedef struct {
    _Atomic uint32_t ended; /* no more naps */
#if !defined(__linux__) /* no futex */
    pthread_mutex_t lock;
    pthread_cond_t wake;
#endif
} Nap;

void nap_init(Nap *nap);
/* Sleeps may begin again. */
void nap_allow(Nap *nap);
/* Sleep until the monotonic clock shows `until_ns`. */
void nap_until(Nap *nap, int64_t until_ns);
/* End the sleep that is under way, and all later ones. */
void nap_end(Nap *nap);

#endif
