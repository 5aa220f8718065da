/* Could this stack have been? Every rule here refuses mixtures of two moments. */
#include "walk.h"

enum {
    ENTRY_UNITS = 6,  /* a function that stands here has just been entered */
    RETURNING_MAX = 3 /* so close to the leaf a caller may have been returned to meanwhile */
};

/* The instruction must lie in the frame's code. */
static bool place_holds(const Layout *l, const Code *code, WalkFrame *frame) {
    uintptr_t first = code->addr + l->code_bytes;
    int64_t offset = (int64_t)(frame->instr - first);
    if (offset & 1) return false;
    int64_t unit = offset / 2;
    if (unit < (l->instr_is_before ? -1 : 0) || unit >= (int64_t)code->units) return false;
    frame->unit = (int32_t)unit;
    return true;
}

static bool is_first_of_chunk(const Layout *l, const Prediction *p, uintptr_t addr) {
    for (int i = 0; i < p->chunks; i++) {
        uintptr_t data = p->chunk[i] + l->chunk_data;
        if (addr == data) return true;
        if (i == p->chunks - 1 && addr == data + sizeof(void *)) return true; /* the oldest one */
    }
    return false;
}

/* Frames of the data stack lie end to end: where one ends, the one it called begins. */
static bool adjoins(const Layout *l, const Prediction *p, const WalkFrame *caller,
                    uint32_t caller_bytes, uintptr_t callee) {
    return caller->addr + caller_bytes == callee || is_first_of_chunk(l, p, callee);
}

/* Whether `caller` can be what called the frame above it, `depth` frames from the leaf. A frame
 * that called another from Python has saved its stack pointer, and takes it back when it is
 * returned to. If it has none, the callee had ended by the time it was copied: near the leaf
 * that is still what the frame pointer meant a moment before, unless the caller was itself
 * entered since, in place of the one before. */
static bool link_holds(const WalkFrame *callee, const WalkFrame *caller, int depth) {
    if (callee->from_c || !caller->running) return true;
    return depth <= RETURNING_MAX && caller->unit > ENTRY_UNITS;
}

static bool is_root(const Layout *l, const Prediction *p, const WalkFrame *last,
                    uintptr_t lowest) {
    if (last->owner == l->owner_generator && !lowest) return last->executing;
    if (last->owner == l->owner_generator && !last->executing) return false;
    return p->chunks > 0 && is_first_of_chunk(l, p, lowest);
}

int walk_check(Walker *walker, const Prediction *prediction, bool *whole) {
    const Layout *l = walker->layout;
    Walk *walk = &walker->walk;
    uintptr_t above = 0; /* the last frame of the data stack seen so far */
    *whole = false;
    for (int i = 0; i < walk->count; i++) {
        WalkFrame *frame = &walk->frames[i];
        bool after_gap = walk->omitted && i == walk->leaf_count;
        const Code *code = codes_known(walker->codes, frame->code);
        if (!code || !place_holds(l, code, frame)) return i;
        if (i && !after_gap && !link_holds(frame - 1, frame, i)) return i;
        if (frame->owner == l->owner_generator) {
            if (i && !frame->executing) return i;
            continue;
        }
        if (above && !after_gap && !adjoins(l, prediction, frame, code->frame_bytes, above))
            return i;
        above = frame->addr;
    }
    *whole = walk->count && is_root(l, prediction, &walk->frames[walk->count - 1], above);
    return walk->count;
}
