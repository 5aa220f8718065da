/* What of each transaction's time has a sample, whether it ran or waited: the rest has none yet. */
#include "sampler.h"
#include "waiters.h"
#include "word.h"

void waiter_release(Waiters *w, Waiter *waiter) {
    if (!waiter->held_valid) return;
    waiter->held_valid = false;
    if (!samples_add(w->samples, waiter->thread, &waiter->held, w->charged)) w->dropped++;
}

void waiters_flush(Waiters *w) {
    for (uint32_t i = 1; i <= w->high; i++) waiter_release(w, &w->rows[i]);
    w->high = 0;
}

void waiters_begin(Waiters *w, int64_t before, int64_t excluded_ticks) {
    w->pass++;
    w->doubtful_count = 0;
    w->before_ticks = before;
    w->excluded_now = excluded_ticks;
    waiters_exclude(w, before, excluded_ticks);
}

void waiters_exclude(Waiters *w, int64_t before, int64_t excluded_ticks) {
    if (excluded_ticks <= 0) return;
    w->outages[w->outage_count++ % OUTAGES_MAX] =
        (Outage){.began = before, .ticks = excluded_ticks, .before = w->excluded_ticks};
    w->excluded_ticks += excluded_ticks;
}

/* Ticks up to `at` that count for nobody. */
static int64_t excluded_until(const Waiters *w, int64_t at) {
    uint32_t kept = w->outage_count < OUTAGES_MAX ? w->outage_count : OUTAGES_MAX;
    for (uint32_t i = 1; i <= kept; i++) {
        const Outage *outage = &w->outages[(w->outage_count - i) % OUTAGES_MAX];
        int64_t inside = at - outage->began;
        if (inside > 0) return outage->before + (inside < outage->ticks ? inside : outage->ticks);
        if (i == kept) return outage->before;
    }
    return 0;
}

void waiter_meet(Waiters *w, Waiter *waiter, const Strand *strand) {
    waiter_release(w, waiter);
    uint32_t number = strand_number(strand->id);
    if (number > w->met) w->met = number;
    int64_t start = strand->start_ns / TICK_NS;
    *waiter = (Waiter){.id = strand->id, .turn = mix(strand->id)};
    if (start < w->first_ticks) start = w->first_ticks;
    waiter->since_ticks = start - excluded_until(w, start);
}

int64_t waiter_open_ticks(const Waiters *w, const Waiter *waiter, int64_t now_ticks) {
    return now_ticks - w->excluded_ticks - waiter->since_ticks;
}

Sample waiter_sample(const Waiter *waiter, int64_t span, int64_t wall) {
    return (Sample){.stack = waiter->stack, .span = waiter->span ? waiter->span : span,
                    .wall_ticks = wall, .state = waiter->state, .flags = waiter->flags};
}

/* The row of a transaction. NULL: it is over, or of another sampler. */
static Waiter *find(Waiters *w, StrandId id) {
    Waiter *waiter = &w->rows[strand_number(id)];
    Strand strand;
    if (!id || id < w->past) return NULL;
    if (waiter->id != id) {
        if (!strands_get(strand_number(id), &strand) || strand.id != id) return NULL;
        waiter_meet(w, waiter, &strand);
    }
    return waiter;
}

void waiters_account(Waiters *w, StrandId id, int64_t ticks, int64_t now_ticks) {
    Waiter *waiter = find(w, id);
    if (!waiter) return;
    int64_t most = waiter_open_ticks(w, waiter, now_ticks) - waiter->accounted_ticks;
    if (ticks > most) ticks = most;
    if (ticks > 0) waiter->accounted_ticks += ticks;
}

/* No pass until the last one saw it running, so all this time, which may be long where they are
 * looked at in turn, it waited. */
static void settle(Waiters *w, Waiter *waiter, int64_t now_ticks) {
    Strand strand;
    int64_t gap = now_ticks - w->before_ticks - w->excluded_now;
    int64_t wall = waiter_open_ticks(w, waiter, now_ticks) - gap - waiter->accounted_ticks;
    if (!waiter->waited || wall <= 0 || !w->samples->passes) return;
    if (!strands_get(strand_number(waiter->id), &strand) || strand.id != waiter->id) return;
    waiter_release(w, waiter);
    Sample waited = waiter_sample(waiter, strand.span, wall);
    if (!samples_add(w->samples, waiter->thread, &waited, w->charged)) w->dropped++;
    waiter->accounted_ticks += wall;
}

void waiters_ran(Waiters *w, StrandId id, int64_t ticks, int64_t now_ticks) {
    Waiter *waiter = find(w, id);
    if (!waiter || waiter->ran == w->pass) return; /* on two threads at once */
    waiter->ran = w->pass;
    settle(w, waiter, now_ticks);
    waiter->waited = false;
    waiters_account(w, id, ticks, now_ticks);
}
