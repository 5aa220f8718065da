/* Samples of all passes since the last drain, as columns of fixed size. */
#ifndef FLAMESPAN_SAMPLES_H
#define FLAMESPAN_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t *pass_ticks, *pass_unobserved, *pass_asleep;
    uint32_t *pass_samples, *pass_missed;
    uint32_t passes, passes_room;
    uint32_t *thread, *stack;
    int64_t *span, *wall_extra, *cpu_ticks;
    uint8_t *state, *flags;
    uint32_t count, room;
    int64_t start_ticks; /* the pass before the first one here */
    void *block;
    uint64_t block_bytes;
} Samples;

typedef struct {
    uint32_t stack;
    int64_t span;
    int64_t wall_ticks, cpu_ticks;
    uint8_t state, flags;
} Sample;

/* Whether they tell the same but for their times. */
static inline bool sample_is_like(const Sample *a, const Sample *b) {
    return a->stack == b->stack && a->span == b->span && a->state == b->state && a->flags == b->flags;
}

bool samples_init(Samples *samples, uint32_t room, uint32_t passes_room);
void samples_free(Samples *samples);
void samples_clear(Samples *samples, int64_t start_ticks);

/* One more sample of the pass that is open; `charged` is the wall time of that pass. False: full. */
bool samples_add(Samples *samples, uint32_t thread, const Sample *sample, int64_t charged);

/* Begin a pass. False: there is no room for another. */
bool samples_begin_pass(Samples *samples, int64_t ticks, int64_t unobserved, int64_t asleep,
                        uint32_t missed);

#endif
