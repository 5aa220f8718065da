/* What sampling may cost: passes become rarer where it would cost more. */
#ifndef FLAMESPAN_BUDGET_H
#define FLAMESPAN_BUDGET_H

#include "sampler.h"

enum { BUDGET_EVERY = 16 /* passes between two looks at what they cost */ };

/* What sampling and the application had used at the last look. */
typedef struct {
    int64_t at_ns, cpu_ns;
    int64_t app_at_ns, app_ns;
    double debt_ns; /* spent beyond the budget */
} Spending;

/* Both in the sampler's thread, which is what they measure. */
Spending budget_begin(void);
void budget_keep(Sampler *sampler, Spending *before);

#endif
