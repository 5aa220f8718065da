/* Which span is active in a context: one context variable, looked up without the GIL. */
#ifndef FLAMESPAN_CONTEXT_H
#define FLAMESPAN_CONTEXT_H

#include "layout.h"
#include "memory.h"

/* The part of every span object that is read from outside, behind its reference count. */
typedef struct {
    uintptr_t type;
    uintptr_t parent;
    int64_t id;     /* SPAN_UNCHOSEN, SPAN_DROPPED: of a transaction that is not recorded */
    int64_t end_ns; /* 0: open */
    uint64_t magic; /* SPAN_MAGIC while the object lives */
    uint64_t strand; /* see strands.h; 0: none */
} SpanCore;

/* The part that tells since when it is open, and who opened it. */
typedef struct {
    SpanCore core;
    uintptr_t others[6];
    int64_t start_ns;
    uint64_t thread_ident;
} SpanLife;

#define SPAN_MAGIC 0x4e415053454d414cu /* "LAMESPAN" */
enum { SPAN_UNCHOSEN = -1, SPAN_DROPPED = -2 };
enum { SPAN_CORE_OFFSET = sizeof(intptr_t), SPAN_PARENTS_MAX = 64 };

typedef struct {
    uintptr_t variable; /* address of the ContextVar; 0: contexts are not read */
    uint32_t hash;      /* of it, as the tree uses it */
    uintptr_t bitmap_type, array_type, collision_type; /* learnt at first sight */
} SpanKey;

/* Everything a lookup read, in order. Reading the same bytes again gives the same answer, so a
 * gather that finds all of them unchanged has looked up the span in that very moment. */
enum {
    TREE_READS = 26, /* context, root, two for each of seven levels, and nine of a collision */
    TRACE_READS = TREE_READS + SPAN_PARENTS_MAX,
    TRACE_BYTES = 48
};
typedef struct {
    uintptr_t context;
    int64_t span; /* 0: none active; below: of a transaction that is not recorded */
    uint64_t strand; /* that it belongs to */
    uintptr_t open_at; /* where it says that it is open: 0 there; 0: no span */
    int count;    /* reads; 0: nothing was looked up */
    bool whole;   /* the lookup came to an end */
    struct {
        uintptr_t addr;
        uint32_t len;
        uint8_t bytes[TRACE_BYTES];
    } read[TRACE_READS];
} SpanTrace;

/* Fold a Python hash to the 32 bits that a context's tree is built on (hamt.c). */
uint32_t span_hash(int64_t python_hash);

/* Look the span up in the context at `context`, and keep what was read. */
void context_trace(Memory *memory, const Layout *layout, SpanKey *key, uintptr_t context,
                   SpanTrace *trace);

/* Since when a thread is known to be there: the start of the oldest span, of the one that says at
 * `open_at` that it is open and those around it, that this thread opened. 0: none. */
int64_t context_since(Memory *memory, uintptr_t open_at, uint64_t thread_ident);

#endif
