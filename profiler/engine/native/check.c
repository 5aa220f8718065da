/* Could this stack have been? Every rule here refuses mixtures of two moments. */
#include "walk.h"

enum { GAP_MAX = 1 << 14 };

static bool is_first_of_chunk(const Layout *l, const Prediction *p, uintptr_t addr) {
    for (int i = 0; i < p->chunks; i++) {
        uintptr_t data = p->chunk[i] + l->chunk_data;
        if (addr == data) return true;
        if (i == p->chunks - 1 && addr == data + sizeof(void *)) return true; /* the oldest one */
    }
    return false;
}

/* Frames of the data stack lie end to end: where one ends, the one it called begins. What C calls
 * may lie further on: a destructor runs above the frame whose locals are being let go, though
 * that frame has ended. */
static bool adjoins(const Layout *l, const Prediction *p, const WalkFrame *caller,
                    uint32_t caller_bytes, uintptr_t callee, bool from_c) {
    uintptr_t end = caller->addr + caller_bytes;
    if (end == callee || is_first_of_chunk(l, p, callee)) return true;
    return from_c && callee > end && callee - end < GAP_MAX;
}

/* What C throws into a generator that waits for another goes to the innermost of them. Those on the
 * way are put on the stack as they are, suspended, though they count as executing. */
static bool is_thrown_through(const Layout *l, const Walk *walk, int i) {
    for (; i > 0; i--) {
        const WalkFrame *frame = &walk->frames[i];
        if (frame->owner != l->owner_generator || !frame->executing || frame->running) return false;
        if (walk->frames[i - 1].from_c) return true;
    }
    return false;
}

/* A frame that called another from Python has saved its stack pointer until it is returned to. A
 * call that came from C says nothing: the caller is then inside of a call into C. `i`: the caller. */
static bool link_holds(const Layout *l, const Walk *walk, int i) {
    return walk->frames[i - 1].from_c || !walk->frames[i].running ||
           is_thrown_through(l, walk, i - 1);
}

/* A frame that executes is the last one of its run of calls. So what lies above it had ended when
 * it was copied, and it is the leaf. */
bool walk_trim(Walker *walker) {
    Walk *walk = &walker->walk;
    int leaf = 0;
    for (int i = 1; i < walk->leaf_count; i++) {
        if (link_holds(walker->layout, walk, i)) continue;
        if (!walk->frames[i].late) return false;
        leaf = i;
    }
    if (!leaf) return true;
    walk->count -= leaf;
    walk->leaf_count -= leaf;
    for (int i = 0; i < walk->count; i++) walk->frames[i] = walk->frames[i + leaf];
    return true;
}

/* A thread's first frame lies at the start of its data stack. Only where nothing lies there can
 * a generator be the first, resumed straight from C; else it has just been suspended. */
static bool is_root(const Layout *l, const Prediction *p, const Walk *walk, uintptr_t lowest) {
    if (walk->frames[walk->count - 1].owner == l->owner_generator &&
        !walk->frames[walk->count - 1].executing)
        return false;
    if (l->ts_base_frame && walk->base == walk->base_frame) return true; /* not so in a greenlet */
    return p->chunks > 0 && is_first_of_chunk(l, p, lowest ? lowest : walk->top);
}

static int check_frames(Walker *walker, const Prediction *prediction, bool *whole) {
    const Layout *l = walker->layout;
    Walk *walk = &walker->walk;
    uintptr_t above = 0; /* the last frame of the data stack seen so far */
    bool from_c = false; /* whether C called something since that one */
    *whole = false;
    for (int i = 0; i < walk->count; i++) {
        WalkFrame *frame = &walk->frames[i];
        bool after_gap = walk->omitted && i == walk->leaf_count;
        if (after_gap) above = 0; /* what lies there is not kept, even where this is a generator */
        const Code *code = frame->known;
        if (!code || !codes_unit(walker->codes, code, frame->instr, &frame->unit)) return i;
        if (i && !after_gap && !link_holds(l, walk, i)) return i;
        if (frame->owner == l->owner_generator) {
            if (i && !frame->executing) return i;
            from_c = from_c || frame->from_c;
            continue;
        }
        if (above && !adjoins(l, prediction, frame, code->frame_bytes, above, from_c))
            return i;
        above = frame->addr;
        from_c = frame->from_c;
    }
    *whole = walk->count && is_root(l, prediction, walk, above);
    return walk->count;
}

int walk_check(Walker *walker, const Prediction *prediction, bool *whole) {
    Walk *walk = &walker->walk;
    Codes *codes = walker->codes;
    for (int n = walker->code; n < walker->end; n += 2) codes_take(codes, &walker->pieces[n]);
    for (int n = 0; n < walk->count; n++) walker->addrs[n] = walk->frames[n].code;
    codes_check(codes, walker->addrs, walk->count);
    for (int n = 0; n < walk->count; n++)
        walk->frames[n].known = codes_known(codes, walker->addrs[n]);
    return check_frames(walker, prediction, whole);
}
