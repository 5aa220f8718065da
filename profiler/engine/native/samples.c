#include "samples.h"

#include <stdlib.h>
#include <string.h>

bool samples_init(Samples *s, uint32_t room, uint32_t passes_room) {
    memset(s, 0, sizeof *s);
    /* One block, widest columns first. Pages that are never written cost nothing. */
    s->block_bytes = (uint64_t)passes_room * (8 + 8 + 8 + 4 + 4) + (uint64_t)room * (3 * 8 + 2 * 4 + 2);
    uint8_t *at = s->block = malloc(s->block_bytes);
    if (!at) return false;
    s->pass_ticks = (int64_t *)at, at += 8u * (uint64_t)passes_room;
    s->pass_unobserved = (int64_t *)at, at += 8u * (uint64_t)passes_room;
    s->pass_asleep = (int64_t *)at, at += 8u * (uint64_t)passes_room;
    s->span = (int64_t *)at, at += 8u * (uint64_t)room;
    s->wall_extra = (int64_t *)at, at += 8u * (uint64_t)room;
    s->cpu_ticks = (int64_t *)at, at += 8u * (uint64_t)room;
    s->pass_samples = (uint32_t *)at, at += 4u * (uint64_t)passes_room;
    s->pass_missed = (uint32_t *)at, at += 4u * (uint64_t)passes_room;
    s->thread = (uint32_t *)at, at += 4u * (uint64_t)room;
    s->stack = (uint32_t *)at, at += 4u * (uint64_t)room;
    s->state = at, at += room;
    s->flags = at;
    s->room = room;
    s->passes_room = passes_room;
    return true;
}

void samples_free(Samples *s) {
    free(s->block);
    memset(s, 0, sizeof *s);
}

void samples_clear(Samples *s, int64_t start_ticks) {
    s->count = s->passes = 0;
    s->start_ticks = start_ticks;
}

bool samples_add(Samples *s, uint32_t thread, const Sample *sample, int64_t charged) {
    if (s->count == s->room || !s->passes) return false;
    uint32_t i = s->count++;
    s->thread[i] = thread;
    s->stack[i] = sample->stack;
    s->span[i] = sample->span;
    s->wall_extra[i] = sample->wall_ticks - charged;
    s->cpu_ticks[i] = sample->cpu_ticks;
    s->state[i] = sample->state;
    s->flags[i] = sample->flags;
    s->pass_samples[s->passes - 1]++;
    return true;
}

bool samples_begin_pass(Samples *s, int64_t ticks, int64_t unobserved, int64_t asleep,
                        uint32_t missed) {
    if (s->passes == s->passes_room) return false;
    uint32_t i = s->passes++;
    s->pass_ticks[i] = ticks;
    s->pass_unobserved[i] = unobserved;
    s->pass_asleep[i] = asleep;
    s->pass_missed[i] = missed;
    s->pass_samples[i] = 0;
    return true;
}
