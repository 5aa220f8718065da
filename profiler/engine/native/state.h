/* What a thread is doing: running, waiting for the GIL, or blocked. */
#ifndef FLAMESPAN_STATE_H
#define FLAMESPAN_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* As in model.py. */
typedef enum {
    STATE_UNKNOWN = 0,
    STATE_RUNNING = 1,
    STATE_GIL_WAIT = 2,
    STATE_IDLE = 3,
    STATE_GC = 4,
    STATE_AWAITING = 5,
    STATE_LOOP_WAIT = 6
} State;

/* What the kernel says of the thread `tid` of this process: running (or runnable), or which
 * system call it is in; one that waits on a word of the GIL's waits for the GIL. STATE_UNKNOWN
 * where the kernel does not tell; STATE_IDLE where it tells no more than that the thread sleeps.
 * `*file` is the thread's file in /proc, opened here if it is -1 and left open: only for a caller
 * whose file descriptors are its own. NULL: opened each time. */
State state_from_kernel(uint64_t tid, int *file, uintptr_t gil, uint32_t gil_size);

/* Close such a file, in the thread that opened it. */
void state_close(int *file);

#endif
