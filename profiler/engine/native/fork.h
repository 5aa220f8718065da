/* Tasks that a task waits for, by way of something that is no coroutine: a future that is a task, and
 * what stands for several of them (gather, task groups, wait, shield, nurseries). Of several that
 * are not done one is taken at a time, in turn.
 *
 * Where these objects keep their tasks is in no header: it is learnt as paths, offsets that are
 * followed from pointer to pointer (see awaits.py), and what lies at the end must be of the right
 * type. */
#ifndef FLAMESPAN_FORK_H
#define FLAMESPAN_FORK_H

#include "layout.h"
#include "memory.h"

enum { FORKS_MAX = 8, HOPS_MAX = 6, TASK_KINDS = 2, CHILDREN_MAX = 256 };

typedef struct {
    uintptr_t type;
    uint32_t coroutine, context; /* where it points to them; 0: nowhere */
    bool is_future;              /* it has a state; else it is there while it is not done */
} TaskKind;

typedef struct {
    uintptr_t at; /* the type of a future, or the code of a coroutine, whose first local begins the path */
    int16_t hops[HOPS_MAX];
    int hop_count;
    int checked; /* after so many hops, `check` must be ... (0: nothing is checked) */
    uintptr_t check;
    uint32_t check_at; /* ... what is pointed to from here */
} Fork;

typedef struct {
    uintptr_t future_type;
    uint32_t future_state; /* int, 0: pending */
    TaskKind tasks[TASK_KINDS];
    int task_count;
    Fork rows[FORKS_MAX];
    int count;
    uint32_t type_base;
    uintptr_t list_type, set_type;
    uint32_t list_items, set_table, set_mask;
} Forks;

/* One question: which task is waited for. */
typedef struct {
    const Layout *layout;
    Memory *memory;
    const Forks *forks;
    uint64_t turn; /* which of several: used up by each choice */
    bool many;     /* there was a choice */
    bool ready;    /* none is left to wait for */
    uintptr_t coroutine, context; /* of the task; 0: none is known */
} Join;

/* A pointer as it lies in memory: its low bits may tell more (on 3.12 where attributes lie is told
 * one byte low, references from frames are marked from 3.14 on). */
static inline uintptr_t fork_pointer(uintptr_t word) {
    return (word & 7) == 7 ? word + 1 : word & ~(uintptr_t)7;
}

/* Behind a future that is pending. */
void join_future(Join *join, uintptr_t future);
/* Behind a suspended coroutine with this code and frame. */
void join_frame(Join *join, uintptr_t code, uintptr_t frame);

#endif
