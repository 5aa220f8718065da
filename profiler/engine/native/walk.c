#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "word.h"

enum {
    SLACK = 2048,   /* bytes beyond the top of the data stack: it may have grown meanwhile */
    TAIL_MIN = 768, /* bytes at the top that are taken to change quickly */
    CHUNK_MAX = 1 << 20,
    FORGET_AFTER = 64 /* walks that did not meet a frame outside the data stack */
};

/* How one attempt came out, beside a verdict that ends the walk. */
typedef enum { GOOD, AGAIN, BROKEN, EMPTY, GONE } Attempt;

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
    if (w->pieces && w->walk.frames && w->ring && w->addrs) return true;
    walker_free(w);
    return false;
}

void walker_free(Walker *w) {
    free(w->pieces);
    free(w->walk.frames);
    free(w->ring);
    free(w->addrs);
    memset(w, 0, sizeof *w);
}

void prediction_free(Prediction *p) {
    free(p->outside);
    free(p->met);
    memset(p, 0, sizeof *p);
}

static int add_piece(Walker *w, uintptr_t addr, uint32_t len) {
    w->pieces[w->count] = (Piece){.addr = addr, .len = len};
    return w->count++;
}

static void list_pieces(Walker *w, uintptr_t tstate, const Prediction *p) {
    const Layout *l = w->layout;
    w->count = 0;
    w->older = 0;
    for (int i = p->chunks - 1; i > 0; i--) add_piece(w, p->chunk[i], p->chunk_len[i]);
    /* What lies deep changes rarely and is copied first; then the frame pointer, and right
     * behind it the frames that it may point to. The two stretches overlap by one frame. */
    uint32_t used = p->chunks ? p->top_used : 0;
    uint32_t critical = p->critical < used ? p->critical : used;
    uint32_t bulk = critical + l->frame_size < used ? critical + l->frame_size : used;
    uintptr_t top = p->chunks ? p->chunk[0] : 0;
    w->bulk = add_piece(w, top, bulk);
    w->begin = add_piece(w, tstate, l->ts_size);
    w->cframe = add_piece(w, p->cframe + l->cframe_frame, l->frame_indirect && p->cframe ? 8 : 0);
    w->tail = add_piece(w, top + critical, used - critical);
    w->outside = w->count;
    for (int i = 0; i < p->outsides; i++)
        add_piece(w, p->outside[i] - l->gen_state_back, l->gen_state_back + l->frame_size);
    w->trace = w->count;
    for (int i = 0; i < p->trace.count; i++)
        add_piece(w, p->trace.read[i].addr, p->trace.read[i].len);
    w->end = add_piece(w, tstate, l->ts_size);
}

static const uint8_t *within(const Walker *w, int piece, uintptr_t addr, uint32_t len) {
    const Piece *p = &w->pieces[piece];
    if (!p->ok || addr < p->addr || addr - p->addr > p->len || p->len - (addr - p->addr) < len)
        return NULL;
    return piece_bytes(w->memory, p) + (addr - p->addr);
}

/* The copy of the frame at `addr`; NULL: it was not predicted. */
static const uint8_t *find_frame(const Walker *w, Prediction *p, uintptr_t addr, int *cursor) {
    const Layout *l = w->layout;
    const uint8_t *at = within(w, w->tail, addr, l->frame_size);
    if (!at) at = within(w, w->bulk, addr, l->frame_size);
    for (int i = w->older; !at && i < w->bulk; i++) at = within(w, i, addr, l->frame_size);
    for (int n = 0; !at && n < p->outsides; n++) {
        int i = *cursor + n < p->outsides ? *cursor + n : *cursor + n - p->outsides;
        if (p->outside[i] != addr || !w->pieces[w->outside + i].ok) continue;
        at = piece_bytes(w->memory, &w->pieces[w->outside + i]) + l->gen_state_back;
        p->met[i] = w->number;
        *cursor = i + 1 < p->outsides ? i + 1 : 0;
    }
    return at;
}

static void forget_outside(Prediction *p, uint32_t now) {
    int kept = 0;
    for (int i = 0; i < p->outsides; i++) {
        if (now - p->met[i] > FORGET_AFTER) continue;
        p->outside[kept] = p->outside[i];
        p->met[kept++] = p->met[i];
    }
    p->outsides = kept;
}

static bool expect_outside(Walker *w, Prediction *p, uintptr_t addr) {
    if (p->outsides == OUTSIDE_MAX) forget_outside(p, w->number);
    if (p->outsides == OUTSIDE_MAX) return false;
    if (p->outsides == p->outside_room) {
        int room = p->outside_room ? p->outside_room * 2 : 16;
        uintptr_t *addrs = realloc(p->outside, (size_t)room * sizeof *addrs);
        if (addrs) p->outside = addrs;
        uint32_t *met = realloc(p->met, (size_t)room * sizeof *met);
        if (met) p->met = met;
        if (!addrs || !met) return false;
        p->outside_room = room;
    }
    p->outside[p->outsides] = addr;
    p->met[p->outsides++] = w->number;
    return true;
}

/* Read the list of the data stack's chunks, newest first. */
static void find_chunks(Walker *w, Prediction *p, uintptr_t newest) {
    const Layout *l = w->layout;
    p->chunks = 0;
    for (uintptr_t at = newest; at && p->chunks < CHUNKS_MAX;) {
        uint8_t head[64];
        if (!memory_read(w->memory, at, head, l->chunk_data)) break;
        uintptr_t size = word_at(head, l->chunk_size), used = word_at(head, l->chunk_top);
        if (size < l->chunk_data || size > CHUNK_MAX) break;
        used = used * sizeof(void *) + l->chunk_data; /* kept when a newer chunk is begun */
        for (int i = 0; i < p->chunks; i++)
            if (p->chunk[i] == at) return;
        p->chunk[p->chunks] = at;
        p->chunk_len[p->chunks++] = (uint32_t)(used < size && at != newest ? used : size);
        at = word_at(head, l->chunk_previous);
    }
}

/* Copy as much of the newest chunk as `top` says is in use, and a little more. */
static void expect_top(const Layout *l, Prediction *p, uintptr_t top) {
    if (!p->chunks) return;
    uintptr_t used = top > p->chunk[0] ? top - p->chunk[0] : 0;
    uint32_t size = p->chunk_len[0];
    p->critical = used > TAIL_MIN + l->chunk_data ? (uint32_t)(used - TAIL_MIN) & ~7u : 0;
    p->top_used = used + SLACK < size ? (uint32_t)used + SLACK : size;
    if (p->critical > p->top_used) p->critical = p->top_used;
}

static bool in_chunks(const Prediction *p, uintptr_t addr) {
    for (int i = 0; i < p->chunks; i++)
        if (addr >= p->chunk[i] && addr - p->chunk[i] < p->chunk_len[i]) return true;
    return false;
}

static void fill_frame(const Layout *l, uintptr_t addr, const uint8_t *at, WalkFrame *frame) {
    frame->addr = addr;
    frame->code = word_at(at, l->frame_code) & ~(uintptr_t)7;
    frame->instr = word_at(at, l->frame_instr);
    frame->owner = at[l->frame_owner];
    frame->unit = 0;
    frame->running = l->stack_is_pointer ? !word_at(at, l->frame_stack)
                                         : i32_at(at, l->frame_stack) < 0;
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

static void close_frames(Walker *w, int seen) {
    Walk *walk = &w->walk;
    walk->leaf_count = seen < w->leaf_max ? seen : w->leaf_max;
    int rest = seen - walk->leaf_count;
    int kept = rest < w->root_max ? rest : w->root_max;
    walk->omitted = rest - kept;
    for (int i = 0; i < kept; i++)
        walk->frames[walk->leaf_count + i] = w->ring[(rest - kept + i) % w->root_max];
    walk->count = walk->leaf_count + kept;
}

/* Follow the frames from the leaf down. AGAIN: something was not predicted, and now is. */
static Attempt follow(Walker *w, Prediction *p, uintptr_t addr) {
    const Layout *l = w->layout;
    uint8_t single[512];
    bool missed = false;
    int seen = 0, cursor = 0;
    for (int steps = 0; addr; steps++) {
        if (steps > FRAMES_MAX) return BROKEN;
        const uint8_t *at = find_frame(w, p, addr, &cursor);
        if (!at) {
            missed = true;
            if (in_chunks(p, addr)) {
                expect_top(l, p, addr + l->frame_size);
                return AGAIN;
            }
            if (!expect_outside(w, p, addr)) return BROKEN;
            uint32_t len = l->gen_state_back + l->frame_size;
            if (!memory_read(w->memory, addr - l->gen_state_back, single, len)) return AGAIN;
            at = single + l->gen_state_back;
        }
        if (at[l->frame_owner] >= l->owner_shim) {
            if (seen) kept_frame(w, seen - 1)->from_c = true;
        } else {
            fill_frame(l, addr, at, kept_frame(w, seen++));
        }
        addr = word_at(at, l->frame_previous);
    }
    close_frames(w, seen);
    return missed ? AGAIN : seen ? GOOD : EMPTY;
}

static bool trace_holds(const Walker *w, const Prediction *p) {
    for (int i = 0; i < p->trace.count; i++) {
        const Piece *piece = &w->pieces[w->trace + i];
        if (!piece->ok || memcmp(piece_bytes(w->memory, piece), p->trace.read[i].bytes, piece->len))
            return false;
    }
    return p->trace.whole;
}

/* The span of the context that was current; AGAIN: it has just been looked up anew. */
static Attempt find_span(Walker *w, Prediction *p, uintptr_t context, uintptr_t context_after) {
    w->walk.span = 0;
    w->walk.span_known = true;
    if (!w->key->variable) return GOOD;
    if (context == context_after) {
        if (!context) return GOOD;
        if (p->trace.context == context && trace_holds(w, p)) {
            w->walk.span = p->trace.span;
            return GOOD;
        }
    }
    w->walk.span_known = false;
    if (context_after) context_trace(w->memory, w->layout, w->key, context_after, &p->trace);
    return AGAIN;
}

static Attempt look(Walker *w, uintptr_t tstate, Prediction *p) {
    const Layout *l = w->layout;
    list_pieces(w, tstate, p);
    uint64_t before = clock_ticks();
    memory_gather(w->memory, w->pieces, w->count);
    uint64_t took = clock_ticks() - before;
    if (!w->pieces[w->begin].ok || !w->pieces[w->end].ok) return GONE;
    const uint8_t *begin = piece_bytes(w->memory, &w->pieces[w->begin]);
    const uint8_t *end = piece_bytes(w->memory, &w->pieces[w->end]);
    uintptr_t frame = word_at(begin, l->ts_frame);
    uintptr_t chunk = word_at(begin, l->ts_chunk);
    if (l->frame_indirect) {
        if (frame != p->cframe || !w->pieces[w->cframe].len || !w->pieces[w->cframe].ok) {
            p->cframe = frame;
            return frame ? AGAIN : EMPTY;
        }
        frame = word_at(piece_bytes(w->memory, &w->pieces[w->cframe]), 0);
    }
    if (!frame) return EMPTY;
    if (!p->chunks || chunk != p->chunk[0]) {
        find_chunks(w, p, chunk);
        expect_top(l, p, word_at(begin, l->ts_top));
        return AGAIN;
    }
    w->walk.frame = frame;
    w->walk.context = word_at(begin, l->ts_context);
    Attempt followed = follow(w, p, frame);
    expect_top(l, p, word_at(end, l->ts_top));
    if (followed != GOOD) return followed;
    /* An interrupt in the midst of the copy pulls its parts far apart. */
    bool slow = took > 4 * w->usual_ticks + clock_ticks_of_us();
    w->usual_ticks += (int64_t)(took - w->usual_ticks) / 16;
    Attempt spanned = find_span(w, p, w->walk.context, word_at(end, l->ts_context));
    return slow ? AGAIN : spanned;
}

Verdict walk_thread(Walker *w, uintptr_t tstate, Prediction *p) {
    Walk *walk = &w->walk;
    int good = 0;
    bool looked = false;
    w->number++;
    codes_begin(w->codes);
    if (p->outsides > 32) forget_outside(p, w->number);
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        walk->attempts = (uint32_t)i + 1;
        walk->count = walk->omitted = walk->leaf_count = 0;
        Attempt attempt = look(w, tstate, p);
        if (attempt == GONE) return WALK_GONE;
        if (attempt == EMPTY) return WALK_EMPTY;
        looked = attempt == GOOD;
        if (!looked) continue;
        for (int n = 0; n < walk->count; n++) w->addrs[n] = walk->frames[n].code;
        codes_check(w->codes, w->addrs, walk->count);
        bool whole;
        good = walk_check(w, p, &whole);
        walk->leaf_instr = walk->frames[0].instr;
        if (whole) return WALK_WHOLE;
    }
    /* What is certain at the end of it: the frames from the leaf on that fit each other, if the
     * last look was one look at all. */
    walk->count = looked ? good : 0;
    if (walk->count > walk->leaf_count) walk->count = walk->leaf_count;
    walk->leaf_count = walk->count;
    walk->omitted = 0;
    return WALK_TORN;
}
