/* Transactions that wait: at each pass, an open transaction that no thread runs gets a sample of the
 * place where its task is suspended. So what is booked to it adds up to its duration.
 *
 * While there is time for all of them, each is looked at in every pass, and one that stands where
 * it stood costs a few words of a common copy. Where there are too many for the budget a pass
 * looks at some, in turn, and books to each the time since it was last accounted for: to the place
 * where it waits now, or, once it runs, where it was last seen to wait.
 *
 * One that waits for several tasks (gather, a task group) is booked to one of those that are not
 * done, another one every CHOICE_TICKS: each has an equal share of the time, and all of them together
 * have it once. */
#ifndef FLAMESPAN_WAITERS_H
#define FLAMESPAN_WAITERS_H

#include "chain.h"
#include "context.h"
#include "samples.h"
#include "strands.h"
#include "thread.h"

enum {
    VISITS_MAX = 1000 /* in one pass */,
    VISITS_LEAST = 16,
    DOUBTFUL_MAX = 16,
    OUTAGES_MAX = 16,
    CHOICE_TICKS = 10000
};

/* A time in which this process cannot have run. */
typedef struct {
    int64_t began, ticks, before; /* `before`: ticks of all earlier ones */
} Outage;

typedef struct {
    StrandId id;
    uint64_t ran; /* the pass that last saw it on a thread */
    int64_t since_ticks, accounted_ticks;
    uintptr_t tstate; /* of the thread with number `thread` */
    uint32_t thread;
    uint32_t stack;
    bool waited; /* it was seen waiting there, and not running since */
    bool known; /* the chain was as `mark` tells, and is this stack */
    bool many;  /* it waits for several tasks; the stack goes on in one of them */
    uint8_t state, flags;
    int64_t span;         /* of the transaction's, that task's; 0: the strand's */
    int64_t chosen_ticks; /* when that task was chosen, as number `turn` of its row */
    uint64_t turn;
    bool held_valid;
    Sample held;
    ChainMark mark;
} Waiter;

typedef struct {
    Strand strand;
    bool due; /* a sample of it goes into this pass */
    Sample now;
} Visit;

typedef struct {
    Chain chain;
    Codes *codes;
    SpanKey *key;
    SpanTrace trace; /* of the context looked at last */
    ChainVerdict verdict; /* of the chain read last */
    Samples *samples;
    Threads *threads;
    Piece *pieces;
    Waiter *rows; /* by the strand's number */
    Visit *visits;
    int visit_count;
    uint32_t high;   /* no waiter above this number has a sample held back */
    uint32_t met;    /* the highest number met so far */
    uint32_t cursor; /* whose turn it is */
    bool all;        /* this pass looks at all of them */
    uintptr_t doubtful[DOUBTFUL_MAX]; /* states of threads whose span this pass cannot tell */
    int doubtful_count;
    uint64_t pass;
    int64_t first_ticks;     /* before that nothing was sampled */
    StrandId past;           /* what was open before this sampler was made is not its own */
    int64_t excluded_ticks;  /* of all outages */
    int64_t before_ticks, excluded_now; /* when the last pass was; of the outage since */
    Outage outages[OUTAGES_MAX]; /* the latest ones */
    uint32_t outage_count;
    int64_t charged;         /* wall ticks of the pass that is open */
    double visit_cost_ns;    /* moving mean */
    double credit_ns;        /* that visits may cost now: what a pass does not use is kept for a while */
    uint64_t dropped;
} Waiters;

bool waiters_init(Waiters *waiters, const Layout *layout, Memory *memory, Codes *codes,
                  SpanKey *key, Samples *samples, Threads *threads);
void waiters_free(Waiters *waiters);

/* A pass begins: the first `excluded_ticks` since `before`, when the last one was, count for nobody. */
void waiters_begin(Waiters *waiters, int64_t before, int64_t excluded_ticks);
/* So many ticks after `before` count for nobody. */
void waiters_exclude(Waiters *waiters, int64_t before, int64_t excluded_ticks);
/* A thread was seen in this transaction, and is charged `ticks`. */
void waiters_ran(Waiters *waiters, StrandId id, int64_t ticks, int64_t now_ticks);
/* It has a sample of so many ticks, but not in this pass. */
void waiters_account(Waiters *waiters, StrandId id, int64_t ticks, int64_t now_ticks);
/* What ran in this thread cannot be told. */
void waiters_doubt(Waiters *waiters, uintptr_t tstate);
/* Look at those that nobody ran: it may cost `allowed_ns` a pass in the long run (negative: any). */
void waiters_look(Waiters *waiters, int64_t now_ticks, double allowed_ns);
/* The pass is open in the samples now. */
void waiters_take(Waiters *waiters, int64_t charged);
/* Hand over what is held back; numbers of stacks begin anew after `restart`. */
void waiters_flush(Waiters *waiters);
void waiters_restart(Waiters *waiters);

/* Of one of them, for those that look (waiters.c) and those that account (accounts.c): hand over what
 * is held back; another transaction has its number now; how long it has been open, as far as that
 * counts; a sample of where it waits. */
void waiter_release(Waiters *waiters, Waiter *waiter);
void waiter_meet(Waiters *waiters, Waiter *waiter, const Strand *strand);
int64_t waiter_open_ticks(const Waiters *waiters, const Waiter *waiter, int64_t now_ticks);
Sample waiter_sample(const Waiter *waiter, int64_t span, int64_t wall_ticks);

#endif
