#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "predict.h"
#include "word.h"

enum {
    CLIMB_MAX = 64,   /* frames that may have been called while the stack was copied */
    BROKEN_MAX = 4,   /* looks at a ring of frames until none other is taken */
    UNSPANNED_MAX = 8 /* looks until a stack is taken without a span */
};

/* How one attempt came out, beside a verdict that ends the walk. */
typedef enum { GOOD, UNSPANNED, AGAIN, BROKEN, EMPTY, GONE } Attempt;

bool walker_init(Walker *w, const Layout *layout, Memory *memory, Codes *codes, SpanKey *key,
                 int leaf_max, int root_max) {
    memset(w, 0, sizeof *w);
    w->layout = layout;
    w->memory = memory;
    w->codes = codes;
    w->key = key;
    w->leaf_max = leaf_max;
    w->root_max = root_max;
    int most = leaf_max + root_max;
    w->pieces = calloc(WALK_PIECES, sizeof *w->pieces);
    w->walk.frames = calloc((size_t)most, sizeof *w->walk.frames);
    w->ring = calloc((size_t)root_max, sizeof *w->ring);
    w->addrs = calloc((size_t)most, sizeof *w->addrs);
    if (w->pieces && w->walk.frames && w->ring && w->addrs && calls_init(&w->calls)) return true;
    walker_free(w);
    return false;
}

void walker_free(Walker *w) {
    free(w->pieces);
    free(w->walk.frames);
    free(w->ring);
    free(w->addrs);
    calls_free(&w->calls);
    memset(w, 0, sizeof *w);
}

/* Where two pieces of the data stack meet, the frame that lies in both must be the same in both:
 * then what lies below it, copied earlier, is what the frames above it stand on. */
static bool seam_holds(const Walker *w, uintptr_t addr, const Copy *frame, const Copy *caller) {
    const Layout *l = w->layout;
    if (caller->piece == frame->piece || caller->piece >= w->outside) return true;
    const uint8_t *at = predict_within(w, caller->piece, addr, l->frame_size);
    return !at || (word_at(at, l->frame_code) == word_at(frame->at, l->frame_code) &&
                   word_at(at, l->frame_previous) == word_at(frame->at, l->frame_previous) &&
                   word_at(at, l->frame_instr) == word_at(frame->at, l->frame_instr) &&
                   u32_at(at, l->frame_stack) == u32_at(frame->at, l->frame_stack));
}

static bool executes(const Layout *l, const uint8_t *at) {
    return l->stack_is_pointer ? !word_at(at, l->frame_stack) : i32_at(at, l->frame_stack) < 0;
}

static void fill_frame(const Layout *l, uintptr_t addr, const uint8_t *at, WalkFrame *frame) {
    frame->addr = addr;
    frame->code = word_at(at, l->frame_code) & ~(uintptr_t)7;
    frame->instr = word_at(at, l->frame_instr);
    frame->owner = at[l->frame_owner];
    frame->known = NULL;
    frame->unit = 0;
    frame->running = executes(l, at);
    frame->from_c = l->frame_entry && at[l->frame_entry];
    frame->executing = false;
    if (frame->owner == l->owner_generator)
        frame->executing = (int8_t)at[-(int64_t)l->gen_state_back] == l->gen_executing;
}

/* Where the frame of that number is kept: at the leaf side, else in a ring of the last ones seen. */
static WalkFrame *kept_frame(Walker *w, int number) {
    if (number < w->leaf_max) return &w->walk.frames[number];
    return &w->ring[(number - w->leaf_max) % w->root_max];
}

static void close_frames(Walker *w) {
    Walk *walk = &w->walk;
    int seen = w->seen;
    walk->leaf_count = seen < w->leaf_max ? seen : w->leaf_max;
    int rest = seen - walk->leaf_count;
    int kept = rest < w->root_max ? rest : w->root_max;
    walk->omitted = rest - kept;
    for (int i = 0; i < kept; i++)
        walk->frames[walk->leaf_count + i] = w->ring[(rest - kept + i) % w->root_max];
    walk->count = walk->leaf_count + kept;
}

/* The frame pointer was read a moment before the frames. If its frame has called others since
 * then, find the one that executes: frames that were called lie right behind their callers. */
static uintptr_t climb(const Walker *w, Prediction *p, uintptr_t addr) {
    const Layout *l = w->layout;
    uintptr_t leaf = addr;
    Cursor cursor = predict_cursor(w);
    for (int i = 0; i < CLIMB_MAX; i++) {
        const uint8_t *at = predict_find(w, p, leaf, &cursor).at;
        if (!at) break;
        if (executes(l, at)) return leaf;
        const Code *code = codes_known(w->codes, word_at(at, l->frame_code) & ~(uintptr_t)7);
        if (l->stack_is_pointer || at[l->frame_owner] == l->owner_generator || !code) break;
        uintptr_t next = leaf + code->frame_bytes;
        const uint8_t *callee = predict_find(w, p, next, &cursor).at;
        if (!callee || word_at(callee, l->frame_previous) != leaf) break;
        leaf = next;
    }
    return addr;
}

/* Predict a frame that was not, for the next attempt, and read it as it is now to find those below. */
static Attempt fetch(Walker *w, Prediction *p, uintptr_t addr, uint8_t *single) {
    const Layout *l = w->layout;
    if (predict_in_chunks(p, addr)) {
        predict_top(w, p, addr + l->frame_size);
        return AGAIN;
    }
    if (addr % sizeof(void *)) return AGAIN;
    if (!predict_outside(w, p, addr)) return BROKEN;
    uint32_t len = l->gen_state_back + l->frame_size;
    return memory_read(w->memory, addr - l->gen_state_back, single, len) ? GOOD : AGAIN;
}

/* Follow the frames from the leaf down. AGAIN: something was not predicted, and now is. */
static Attempt follow(Walker *w, Prediction *p, uintptr_t addr) {
    const Layout *l = w->layout;
    uint8_t single[512];
    bool missed = false;
    Cursor cursor = predict_cursor(w);
    Copy above = {NULL, 0, false}; /* the frame of the data stack before, and where it lies */
    uintptr_t above_addr = 0;
    w->seen = 0;
    for (int steps = 0; addr; steps++) {
        if (steps > FRAMES_MAX) return BROKEN;
        Copy copy = predict_find(w, p, addr, &cursor);
        /* What the frame pointer points to must have been copied after it was read. */
        if (copy.at && !steps && !copy.late) return AGAIN;
        if (!copy.at) {
            missed = true;
            Attempt fetched = fetch(w, p, addr, single);
            if (fetched != GOOD) return fetched;
            copy = (Copy){single + l->gen_state_back, w->outside, true};
        }
        uintptr_t next = word_at(copy.at, l->frame_previous);
        w->walk.base = addr;
        if (copy.at[l->frame_owner] >= l->owner_shim) {
            if (w->seen) kept_frame(w, w->seen - 1)->from_c = true;
        } else {
            WalkFrame *frame = kept_frame(w, w->seen++);
            fill_frame(l, addr, copy.at, frame);
            frame->late = copy.late;
            if (copy.piece < w->outside) {
                if (above.at && !seam_holds(w, above_addr, &above, &copy)) return AGAIN;
                above = copy;
                above_addr = addr;
            }
        }
        addr = next;
    }
    close_frames(w);
    return missed ? AGAIN : w->seen ? GOOD : EMPTY;
}

/* The frame pointer at the end of the gather. */
static uintptr_t frame_at_end(const Walker *w, const uint8_t *end) {
    const Layout *l = w->layout;
    uintptr_t at = word_at(end, l->ts_frame);
    if (!l->frame_indirect) return at;
    return at && memory_read(w->memory, at + l->cframe_frame, &at, sizeof at) ? at : 0;
}

/* Whether what was followed may be the stack: it ends at a thread's first frame, not at a generator
 * that was suspended meanwhile, and its leaf executes. A leaf that does not is in a call into C
 * (3.14 on), or in one of the interpreter's own (then the frame pointer stays where it is), or has
 * called something that was not found. */
static bool may_be(const Walker *w, bool still) {
    const Walk *walk = &w->walk;
    const WalkFrame *last = &walk->frames[walk->count - 1];
    if (last->owner == w->layout->owner_generator && !last->executing) return false;
    return walk->frames[0].running || w->layout->stack_is_pointer || still;
}

/* Follow the stack from where the frame pointer was at the beginning of the gather, or, if that
 * leads nowhere, at its end. */
static Attempt follow_either(Walker *w, Prediction *p, uintptr_t frame, const uint8_t *end) {
    Attempt attempt = follow(w, p, climb(w, p, frame));
    if (attempt != GOOD) return attempt;
    if (!walk_trim(w)) return AGAIN;
    if (may_be(w, false)) return GOOD;
    uintptr_t now = frame_at_end(w, end);
    if (now == frame && may_be(w, true)) return GOOD;
    if (!now || now == frame) return AGAIN;
    attempt = follow(w, p, now);
    if (attempt != GOOD) return attempt;
    return walk_trim(w) && may_be(w, false) ? GOOD : AGAIN;
}

static bool trace_holds(const Walker *w, const SpanTrace *trace, int first) {
    for (int i = 0; i < trace->count; i++) {
        const Piece *piece = &w->pieces[first + i];
        if (!piece->ok || memcmp(piece_bytes(w->memory, piece), trace->read[i].bytes, piece->len))
            return false;
    }
    return trace->whole;
}

/* The span of the context that was current while the stack was copied, if it was looked up in that
 * very copy. If not it is looked up now, for the next look: by now the thread may have gone on to
 * another span, or the context's address may be another task's. */
static Attempt find_span(Walker *w, Prediction *p, uintptr_t context_after) {
    SpanTrace *trace = &p->trace;
    uintptr_t context = w->walk.context;
    w->walk.span = 0;
    w->walk.strand = 0;
    w->walk.span_known = true;
    if (!w->key->variable || (!context && !context_after)) return GOOD;
    w->walk.span_known = false;
    if (context != context_after) return UNSPANNED;
    if (trace->context == context && trace_holds(w, trace, w->trace)) {
        w->walk.span = trace->span;
        w->walk.strand = trace->strand;
        w->walk.span_known = true;
        return GOOD;
    }
    context_trace(w->memory, w->layout, w->key, context, trace);
    return UNSPANNED;
}

static Attempt look(Walker *w, uintptr_t tstate, Prediction *p) {
    const Layout *l = w->layout;
    predict_pieces(w, tstate, p);
    memory_gather(w->memory, w->pieces, w->count);
    if (!w->pieces[w->begin].ok || !w->pieces[w->end].ok) return GONE;
    const uint8_t *begin = piece_bytes(w->memory, &w->pieces[w->begin]);
    const uint8_t *end = piece_bytes(w->memory, &w->pieces[w->end]);
    uintptr_t frame = word_at(begin, l->ts_frame);
    uintptr_t chunk = word_at(begin, l->ts_chunk);
    if (l->frame_indirect) {
        if (!frame) return EMPTY;
        if (!predict_cframe(w, p, frame, &frame)) return AGAIN;
    }
    if (!frame) return EMPTY;
    if (!predict_chunks(w, p, chunk)) {
        predict_top(w, p, word_at(begin, l->ts_top));
        return AGAIN;
    }
    w->walk.top = word_at(begin, l->ts_top);
    w->walk.base_frame = l->ts_base_frame ? word_at(begin, l->ts_base_frame) : 0;
    w->walk.context = word_at(begin, l->ts_context);
    Attempt followed = follow_either(w, p, frame, end);
    if (word_at(end, l->ts_chunk) == chunk) predict_top(w, p, word_at(end, l->ts_top));
    if (followed != GOOD) return followed;
    w->walk.frame = w->walk.frames[0].addr;
    return find_span(w, p, word_at(end, l->ts_context));
}

/* What is certain when every look has failed: the frames from the leaf on that fit each other, if
 * the last look was one look at all. */
static void keep_good(Walk *walk, int good) {
    walk->leaf_count = walk->count = good < walk->leaf_count ? good : walk->leaf_count;
    walk->omitted = 0;
}

/* Of a stack too deep to be followed to its root, or of a ring: what lies at the leaf. */
static int check_leaf(Walker *w, const Prediction *p) {
    bool whole;
    close_frames(w);
    return walk_trim(w) ? walk_check(w, p, &whole) : 0;
}

Verdict walk_thread(Walker *w, uintptr_t tstate, Prediction *p, bool running) {
    Walk *walk = &w->walk;
    int good = 0, unspanned = 0, broken = 0;
    w->number++;
    walk->strand = 0;
    walk->span = 0; /* a walk that looks up none must not keep that of another thread's */
    walk->span_known = false;
    codes_begin(w->codes);
    calls_begin(&w->calls);
    if (p->outsides > 32) predict_forget(p, w->number);
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        w->seen = 0;
        if (i == ATTEMPTS_MAX / 2) p->chunks = p->base = 0; /* their list was torn, maybe: read it anew */
        walk->attempts = (uint32_t)i + 1;
        walk->count = walk->omitted = walk->leaf_count = good = 0;
        Attempt attempt = look(w, tstate, p);
        if (attempt == GONE) return WALK_GONE;
        if (attempt == EMPTY) return WALK_EMPTY;
        if (attempt == UNSPANNED && ++unspanned < UNSPANNED_MAX) continue;
        if (attempt == BROKEN && ++broken == BROKEN_MAX) { /* each takes milliseconds */
            good = check_leaf(w, p);
            break;
        }
        if (attempt > UNSPANNED) continue;
        bool whole;
        good = walk_check(w, p, &whole);
        walk->leaf_instr = walk->frames[0].instr;
        if (!whole) continue;
        if (running && !calls_known(&w->calls, walk, p->last, p->last_count)) continue;
        predict_remember(p, walk);
        return WALK_WHOLE;
    }
    keep_good(walk, good);
    return WALK_TORN;
}
