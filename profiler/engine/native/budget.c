#include "budget.h"

#include "clock.h"

static const double APP_EVERY_NS = 200e6, OVERDRAFT_NS = 10e9;

Spending budget_begin(void) {
    int64_t now_ns = clock_now_ns();
    return (Spending){now_ns, clock_ns_of(CLOCK_THREAD_CPUTIME_ID), now_ns,
                      clock_ns_of(CLOCK_PROCESS_CPUTIME_ID), 0};
}

/* Cores that the application uses: what it used at most, decaying by a thousandth a look. */
static void look_at_app(Sampler *s, Spending *before, int64_t now_ns) {
    double passed = (double)(now_ns - before->app_at_ns);
    if (passed < APP_EVERY_NS) return;
    int64_t app_ns = clock_ns_of(CLOCK_PROCESS_CPUTIME_ID);
    double cores = (double)(app_ns - before->app_ns) / passed;
    s->app_cores = cores > s->app_cores ? cores : s->app_cores * 0.999;
    if (s->app_cores < 1) s->app_cores = 1;
    before->app_ns = app_ns;
    before->app_at_ns = now_ns;
}

/* Stretch the interval when passes cost more than the budget gives: a share of one core, or of as
 * many as the application uses. Ten seconds of it may be overdrawn, since the first looks at code
 * and threads cost many times what later ones do. */
void budget_keep(Sampler *s, Spending *before) {
    int64_t now_ns = clock_now_ns(), cpu_ns = clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
    double spent = (double)(cpu_ns - before->cpu_ns), passed = (double)(now_ns - before->at_ns);
    double cost = spent / BUDGET_EVERY;
    s->pass_cost_ns = s->pass_cost_ns > 0 ? s->pass_cost_ns + (cost - s->pass_cost_ns) / 8 : cost;
    s->counters.sampler_cpu_ns = s->cpu_before_ns + cpu_ns;
    before->cpu_ns = cpu_ns;
    before->at_ns = now_ns;
    look_at_app(s, before, now_ns);
    double share = s->options.budget * s->app_cores;
    int64_t least = 0;
    if (share > 0) {
        before->debt_ns += spent - share * passed;
        if (before->debt_ns < 0) before->debt_ns = 0;
        if (before->debt_ns > share * OVERDRAFT_NS)
            least = (int64_t)(s->pass_cost_ns / share) / TICK_NS;
    }
    s->interval_ticks = least > s->asked_ticks ? least : s->asked_ticks;
    s->counters.interval_ns = s->interval_ticks * TICK_NS;
    if (s->interval_ticks > s->asked_ticks) s->counters.stretched += BUDGET_EVERY;
}
