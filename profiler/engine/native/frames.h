/* What one look at a stack gives. */
#ifndef FLAMESPAN_FRAMES_H
#define FLAMESPAN_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

struct Code;

typedef struct {
    uintptr_t addr, code, instr;
    struct Code *known; /* what is remembered of its code, for this walk only; NULL: nothing */
    int32_t unit;
    uint8_t owner;
    bool running;   /* its stack pointer is not saved: it is executing, or in a call into C */
    bool from_c;    /* entered from C: the frame below it need not have saved anything */
    bool executing; /* a generator's frame: the generator is running */
    bool late;      /* copied after the frame pointer, as one that may be running must be */
} WalkFrame;

typedef struct {
    /* leaf side, leaf first; then, if there were more, the root side, leaf first too */
    WalkFrame *frames;
    int count;      /* frames kept in all */
    int leaf_count; /* of them on the leaf side */
    int omitted;    /* in between */
    int64_t span;
    uint64_t strand;
    bool span_known;
    uintptr_t frame, context; /* of the thread state when the stack was taken */
    uintptr_t leaf_instr, top;
    uintptr_t base, base_frame; /* where the chain of frames ended, and where it should (3.15) */
    uint32_t attempts;
} Walk;

#endif
