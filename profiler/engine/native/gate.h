/* Where the sampler sleeps while no transaction is open, and how one that opens wakes it. */
#ifndef FLAMESPAN_GATE_H
#define FLAMESPAN_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    _Atomic int64_t open; /* transactions */
    atomic_bool asleep;   /* somebody waits, and nobody has woken him yet */
    bool interrupted;
    pthread_mutex_t lock; /* held for some instructions, never during a pass */
    pthread_cond_t wake;
} Gate;

void gate_init(Gate *gate);
void gate_free(Gate *gate);

/* Return as soon as a transaction is open, or `gate_interrupt` was called. */
void gate_wait(Gate *gate);

/* Make the wait that is under way, or else the next one, return. */
void gate_interrupt(Gate *gate);

void gate_wake(Gate *gate);

/* Two atomic operations, unless the sampler sleeps: however many transactions come in a burst, only
 * the first of them signals. */
static inline void gate_enter(Gate *gate) {
    if (atomic_fetch_add(&gate->open, 1) == 0 && atomic_load(&gate->asleep)) gate_wake(gate);
}

static inline void gate_leave(Gate *gate) { atomic_fetch_sub(&gate->open, 1); }

static inline bool gate_is_open(Gate *gate) { return atomic_load(&gate->open) > 0; }

#endif
