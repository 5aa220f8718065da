#include "waiters.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sampler.h"
#include "word.h"

enum { CREDIT_PASSES = 100, DEBT_PASSES = 10, READS_MAX = 3 };

bool waiters_init(Waiters *w, const Layout *layout, Memory *memory, Codes *codes, SpanKey *key,
                  Samples *samples, Threads *threads) {
    memset(w, 0, sizeof *w);
    w->chain.layout = layout;
    w->chain.memory = memory;
    w->chain.codes = w->codes = codes;
    w->key = key;
    w->samples = samples;
    w->threads = threads;
    w->rows = calloc(STRANDS_MAX, sizeof *w->rows); /* pages that are not used cost nothing */
    w->visits = calloc(VISITS_MAX, sizeof *w->visits);
    w->pieces = calloc(VISITS_MAX * CHAIN_PIECES, sizeof *w->pieces);
    return w->rows && w->visits && w->pieces;
}

void waiters_free(Waiters *w) {
    free(w->rows);
    free(w->visits);
    free(w->pieces);
    memset(w, 0, sizeof *w);
}

void waiters_restart(Waiters *w) {
    for (uint32_t i = 1; i <= w->met; i++) w->rows[i].known = w->rows[i].waited = false;
}

void waiters_doubt(Waiters *w, uintptr_t tstate) {
    if (w->doubtful_count < DOUBTFUL_MAX) w->doubtful[w->doubtful_count++] = tstate;
}

static bool is_doubtful(const Waiters *w, uintptr_t tstate) {
    for (int i = 0; i < w->doubtful_count; i++)
        if (w->doubtful[i] == tstate) return true;
    return w->doubtful_count == DOUBTFUL_MAX;
}

/* Whether it may run after all: that of a greenlet, unlike a coroutine, is not written on it. */
static bool may_run(const Waiters *w, const Strand *strand) {
    return strand->frame && is_doubtful(w, strand->tstate);
}

/* The number of the thread whose state lies at `tstate`. */
static bool find_thread(const Waiters *w, Waiter *waiter, uintptr_t tstate) {
    if (waiter->tstate == tstate) return true;
    for (int i = 0; i < w->threads->count; i++) {
        if (w->threads->rows[i]->tstate != tstate) continue;
        waiter->tstate = tstate;
        waiter->thread = w->threads->rows[i]->index;
        return true;
    }
    return false;
}

/* Whether entry `number` is to be looked at in this pass. */
static bool is_waiting(Waiters *w, uint32_t number, Strand *strand) {
    Waiter *waiter = &w->rows[number];
    if (!strands_get(number, strand) || strand->id < w->past) {
        waiter_release(w, waiter);
        return false;
    }
    if (waiter->id != strand->id) waiter_meet(w, waiter, strand);
    if (waiter->ran == w->pass) waiter_release(w, waiter);
    return waiter->ran != w->pass && !may_run(w, strand) && find_thread(w, waiter, strand->tstate);
}

/* Choose those to look at, in turn. */
static void choose(Waiters *w, int most) {
    uint32_t last = strands_last(), end = last > w->high ? last : w->high;
    bool were_all = w->all;
    w->visit_count = 0;
    w->all = true;
    if (w->cursor > end) w->cursor = 0;
    for (uint32_t i = 0; i < end; i++) {
        if (w->visit_count == most) {
            w->all = false;
            break;
        }
        w->cursor = w->cursor < end ? w->cursor + 1 : 1;
        Visit *visit = &w->visits[w->visit_count];
        visit->due = false;
        if (is_waiting(w, w->cursor, &visit->strand)) w->visit_count++;
    }
    /* Held back until it changes is only what each pass looks at. */
    if (were_all && !w->all) waiters_flush(w);
    w->high = w->all ? last : 0;
}

/* Number the stack of the chain that was read. False: some of its code could not be read. */
static bool number_stack(Waiters *w, Waiter *waiter) {
    Chain *chain = &w->chain;
    uintptr_t addrs[CHAIN_MAX];
    uint32_t stack = 0;
    bool gives_way = false; /* at the innermost end */
    for (int i = 0; i < chain->count; i++) addrs[i] = chain->links[i].code;
    codes_check(w->codes, addrs, chain->count);
    for (int i = 0; i < chain->count; i++) {
        Code *code = codes_known(w->codes, addrs[i]);
        int32_t unit;
        if (!code || !codes_unit(w->codes, code, chain->links[i].instr, &unit)) return false;
        stack = names_stack(w->codes->names, stack, codes_place(w->codes, code, unit));
        gives_way = code->gives_way;
    }
    waiter->stack = stack;
    waiter->state = chain->ready || gives_way ? STATE_LOOP_WAIT : STATE_AWAITING;
    waiter->flags = chain->truncated ? FLAG_TRUNCATED : 0;
    return stack != 0;
}

/* A chain that goes on in another task is in the span that is open there, if that is one of the
 * transaction's. */
static void find_span(Waiters *w, Waiter *waiter, const Strand *strand) {
    SpanTrace *trace = &w->trace;
    waiter->span = 0;
    if (!w->chain.context || !w->key->variable) return;
    context_trace(w->chain.memory, w->chain.layout, w->key, w->chain.context, trace);
    if (!trace->whole) w->chain.unsettled = true;
    if (!trace->whole || trace->strand != strand->id || trace->span <= 0) return;
    waiter->span = trace->span;
    waiter->mark.context = trace->context;
    waiter->mark.variables = word_at(trace->read[0].bytes, 0);
    waiter->mark.open_at = trace->open_at;
}

/* False: it does not stand still, or moved while it was read. */
static bool read_once(Waiters *w, Waiter *waiter, const Strand *strand) {
    Chain *chain = &w->chain;
    chain->turn = waiter->turn;
    w->verdict = strand->frame ? chain_read_frames(chain, strand->frame)
                               : chain_read(chain, strand->owner);
    return w->verdict == CHAIN_SUSPENDED && number_stack(w, waiter) &&
           chain_mark(chain, &waiter->mark);
}

/* False: it cannot be told where it waits now. */
static bool read_anew(Waiters *w, Waiter *waiter, const Strand *strand, int64_t now_ticks) {
    uint32_t stack = waiter->stack;
    bool read = false;
    w->verdict = CHAIN_SUSPENDED;
    for (int i = 0; i < READS_MAX && !read && w->verdict == CHAIN_SUSPENDED; i++)
        read = read_once(w, waiter, strand);
    if (read) find_span(w, waiter, strand);
    else waiter->stack = stack;
    waiter->known = read && !w->chain.unsettled;
    waiter->many = w->chain.many;
    waiter->chosen_ticks = now_ticks;
    return read;
}

/* It has begun to run since its thread was looked at, some microseconds ago: until then it stood where
 * it was seen last, and waited for its turn. Once: it may do something else then. */
static bool just_went_on(Waiters *w, Waiter *waiter, const Strand *strand) {
    if (w->verdict != CHAIN_RUNS || !waiter->waited || is_doubtful(w, strand->tstate)) return false;
    waiter->state = STATE_LOOP_WAIT;
    return true;
}

/* Of several tasks that it waits for it is another one's turn. */
static void take_turns(Waiter *waiter, int64_t now_ticks) {
    if (!waiter->many || now_ticks - waiter->chosen_ticks < CHOICE_TICKS) return;
    waiter->turn++;
    waiter->known = false;
}

/* Which of those chosen stand where they stood. */
static void compare(Waiters *w, int64_t now_ticks) {
    const Layout *l = w->chain.layout;
    int count = 0;
    for (int i = 0; i < w->visit_count; i++) {
        Waiter *waiter = &w->rows[strand_number(w->visits[i].strand.id)];
        take_turns(waiter, now_ticks);
        if (waiter->known)
            count += chain_list(l, &w->chain.types, &waiter->mark, w->pieces + count);
    }
    memory_gather(w->chain.memory, w->pieces, count);
    count = 0;
    for (int i = 0; i < w->visit_count; i++) {
        Waiter *waiter = &w->rows[strand_number(w->visits[i].strand.id)];
        if (!waiter->known) continue;
        waiter->known = chain_is_as_before(w->chain.memory, &waiter->mark, w->pieces + count);
        count += chain_count(&waiter->mark);
    }
}

static void account(Waiters *w, Waiter *waiter, Visit *visit, int64_t now_ticks) {
    int64_t wall = waiter_open_ticks(w, waiter, now_ticks) - waiter->accounted_ticks;
    if (wall <= 0) return;
    waiter->accounted_ticks += wall;
    visit->now = waiter_sample(waiter, visit->strand.span, wall);
    if (waiter->held_valid && sample_is_like(&waiter->held, &visit->now)) {
        waiter->held.wall_ticks += wall;
        return;
    }
    waiter_release(w, waiter);
    visit->due = true;
}

/* Its transaction is still open, so what was read was its own and no later user's of its memory. */
static bool is_current(const Strand *strand) {
    Strand now;
    return strands_get(strand_number(strand->id), &now) && now.id == strand->id &&
           now.span == strand->span;
}

/* How many may be looked at now. The first look at one costs ten times what later ones do: hence
 * the credit. What thousands of first looks cost too much is not saved later on: each of them would
 * be looked at once, and then not again for as long as that takes. */
static int affordable(Waiters *w, double allowed_ns) {
    if (allowed_ns < 0 || w->visit_cost_ns <= 0) return VISITS_MAX;
    double ceiling = CREDIT_PASSES * allowed_ns;
    w->credit_ns = w->credit_ns + allowed_ns < ceiling ? w->credit_ns + allowed_ns : ceiling;
    double most = w->credit_ns / w->visit_cost_ns;
    if (most > VISITS_MAX) return VISITS_MAX;
    return most < VISITS_LEAST ? VISITS_LEAST : (int)most;
}

void waiters_look(Waiters *w, int64_t now_ticks, double allowed_ns) {
    w->visit_count = 0;
    if (!strands_last() && !w->high) return;
    int64_t began_ns = clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    choose(w, affordable(w, allowed_ns));
    compare(w, now_ticks);
    codes_begin(w->codes);
    for (int i = 0; i < w->visit_count; i++) {
        Visit *visit = &w->visits[i];
        Waiter *waiter = &w->rows[strand_number(visit->strand.id)];
        bool stands = waiter->known || read_anew(w, waiter, &visit->strand, now_ticks);
        if ((stands || just_went_on(w, waiter, &visit->strand)) && is_current(&visit->strand))
            account(w, waiter, visit, now_ticks);
        else
            waiter_release(w, waiter);
        waiter->waited = stands;
    }
    if (!w->visit_count) return;
    double spent = (double)(clock_ns_of(CLOCK_THREAD_CPUTIME_ID) - began_ns);
    double cost = spent / w->visit_count;
    w->credit_ns -= spent;
    if (allowed_ns > 0 && w->credit_ns < -DEBT_PASSES * allowed_ns)
        w->credit_ns = -DEBT_PASSES * allowed_ns;
    w->visit_cost_ns += w->visit_cost_ns > 0 ? (cost - w->visit_cost_ns) / 16 : cost;
}

void waiters_take(Waiters *w, int64_t charged) {
    w->charged = charged;
    for (int i = 0; i < w->visit_count; i++) {
        Visit *visit = &w->visits[i];
        Waiter *waiter = &w->rows[strand_number(visit->strand.id)];
        if (!visit->due) continue;
        if (w->all) {
            waiter->held = visit->now;
            waiter->held_valid = true;
        } else if (!samples_add(w->samples, waiter->thread, &visit->now, charged)) {
            w->dropped++;
        }
    }
}
