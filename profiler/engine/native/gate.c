#include "gate.h"

void gate_init(Gate *gate) {
    atomic_init(&gate->open, 0);
    atomic_init(&gate->asleep, false);
    gate->interrupted = false;
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->wake, NULL);
}

void gate_free(Gate *gate) {
    pthread_mutex_destroy(&gate->lock);
    pthread_cond_destroy(&gate->wake);
}

void gate_wait(Gate *gate) {
    pthread_mutex_lock(&gate->lock);
    /* First asleep, then the look: who enters counts first and looks then, so one sees the other. */
    atomic_store(&gate->asleep, true);
    if (gate_is_open(gate)) atomic_store(&gate->asleep, false);
    while (atomic_load(&gate->asleep) && !gate->interrupted)
        pthread_cond_wait(&gate->wake, &gate->lock);
    atomic_store(&gate->asleep, false);
    gate->interrupted = false;
    pthread_mutex_unlock(&gate->lock);
}

void gate_wake(Gate *gate) {
    if (!atomic_exchange(&gate->asleep, false)) return;
    pthread_mutex_lock(&gate->lock);
    pthread_cond_signal(&gate->wake);
    pthread_mutex_unlock(&gate->lock);
}

void gate_interrupt(Gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->interrupted = true;
    pthread_cond_signal(&gate->wake);
    pthread_mutex_unlock(&gate->lock);
}
