#include "walk.h"

#include <stdlib.h>
#include <string.h>

#include "word.h"

enum {
    PAGE = 4096,
    OVERLAP = 768,
    SLACK = 512,    /* bytes beyond the top of the data stack: it may have grown meanwhile */
    CLIMB_MAX = 64, /* frames that may have been called while the stack was copied */
    CHUNK_MAX = 1 << 20,
    CHUNK_BYTES = 16 << 10, /* usual size of a chunk */
    NEWER = 4096,    /* bytes of a chunk that was given up, in case it is in use again */
    BROKEN_MAX = 4,    /* looks at a ring of frames until none other is taken */
    UNSPANNED_MAX = 8, /* looks until a stack is taken without a span */
    FORGET_AFTER = 64 /* walks that did not meet a frame outside the data stack */
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

void prediction_free(Prediction *p) {
    free(p->outside);
    free(p->met);
    free(p->last);
    memset(p, 0, sizeof *p);
}

static int add_piece(Walker *w, uintptr_t addr, uint32_t len) {
    w->pieces[w->count] = (Piece){.addr = addr, .len = len};
    w->bytes += len;
    return w->count++;
}

/* A stretch of the data stack. The kernel pauses at every page of the file that it copies into,
 * long enough for calls to end and others to begin. So the stretch is cut there, and what comes
 * next begins with some of the same bytes again: see seam_holds(). */
static void add_stack(Walker *w, uintptr_t addr, uint32_t len) {
    while (w->count < STACK_PIECES) {
        uint32_t room = PAGE - w->bytes % PAGE;
        if (room <= OVERLAP && len > room) { /* too little to go on with: fill it up */
            add_piece(w, addr, room);
            room = PAGE;
        }
        uint32_t some = len < room ? len : room;
        add_piece(w, addr, some);
        if (some == len) return;
        addr += some - OVERLAP;
        len -= some - OVERLAP;
    }
}

static void list_pieces(Walker *w, uintptr_t tstate, const Prediction *p) {
    const Layout *l = w->layout;
    int cframes = 0;
    while (l->frame_indirect && cframes < CFRAMES && p->cframe[cframes]) cframes++;
    w->count = 0;
    w->bytes = 0;
    /* The oldest part of the data stack first: it hardly changes. The frame pointer right before
     * the part that it may point to. */
    for (int i = p->chunks - 1; i > p->base + 1; i--) add_stack(w, p->chunk[i], p->chunk_len[i]);
    w->begin = add_piece(w, tstate, l->ts_size);
    w->cframe = w->count;
    for (int i = 0; i < cframes; i++) add_piece(w, p->cframe[i] + l->cframe_frame, 8);
    w->stack = w->count;
    if (p->base + 1 < p->chunks) add_stack(w, p->chunk[p->base + 1], p->chunk_len[p->base + 1]);
    if (p->chunks) add_stack(w, p->chunk[p->base], p->top_used);
    if (p->base) add_stack(w, p->chunk[p->base - 1], NEWER);
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

/* The copy of a frame, in which piece it lies, and whether it was copied after the frame pointer. */
typedef struct {
    const uint8_t *at; /* NULL: it was not predicted */
    int piece;
    bool late;
} Copy;

static Copy find_frame(const Walker *w, Prediction *p, uintptr_t addr, int *cursor) {
    const Layout *l = w->layout;
    for (int i = w->outside - 1; i >= 0; i--) {
        if (i < w->stack && i >= w->begin) continue;
        /* What lies before a frame must be there, too: if it is a generator's, its state does. */
        const uint8_t *at = within(w, i, addr - l->gen_state_back, l->gen_state_back + l->frame_size);
        if (at) return (Copy){at + l->gen_state_back, i, i >= w->stack};
    }
    for (int n = 0; n < p->outsides; n++) {
        int i = *cursor + n < p->outsides ? *cursor + n : *cursor + n - p->outsides;
        if (p->outside[i] != addr || !w->pieces[w->outside + i].ok) continue;
        p->met[i] = w->number;
        *cursor = i + 1 < p->outsides ? i + 1 : 0;
        int piece = w->outside + i;
        return (Copy){piece_bytes(w->memory, &w->pieces[piece]) + l->gen_state_back, piece, true};
    }
    return (Copy){NULL, 0, false};
}

/* Where two pieces of the data stack meet, the frame that lies in both must be the same in both:
 * then what lies below it, copied earlier, is what the frames above it stand on. */
static bool seam_holds(const Walker *w, uintptr_t addr, const Copy *frame, const Copy *caller) {
    const Layout *l = w->layout;
    if (caller->piece == frame->piece || caller->piece >= w->outside) return true;
    const uint8_t *at = within(w, caller->piece, addr, l->frame_size);
    return !at || (word_at(at, l->frame_code) == word_at(frame->at, l->frame_code) &&
                   word_at(at, l->frame_previous) == word_at(frame->at, l->frame_previous) &&
                   word_at(at, l->frame_instr) == word_at(frame->at, l->frame_instr) &&
                   u32_at(at, l->frame_stack) == u32_at(frame->at, l->frame_stack));
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
static void read_chunks(Walker *w, Prediction *p, uintptr_t newest) {
    const Layout *l = w->layout;
    p->chunks = p->base = 0;
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

/* Be ready for `newest` to be the chunk in use. False: what was just copied cannot be used. */
static bool find_chunks(Walker *w, Prediction *p, uintptr_t newest) {
    if (!newest) { /* the thread has not run Python code yet */
        p->chunks = p->base = 0;
        return true;
    }
    for (int i = 0; i < p->chunks; i++) {
        if (p->chunk[i] != newest) continue;
        int before = p->base;
        p->base = i;
        if (i > before) p->chunk_len[i] = CHUNK_BYTES; /* where it ends was kept for another use */
        return i == before || i == before - 1;
    }
    read_chunks(w, p, newest);
    return false;
}

/* Copy as much of the newest chunk as `top` says is in use, and a little more; a lot more for a
 * stack that went up and down between attempts. */
static void expect_top(const Walker *w, Prediction *p, uintptr_t top) {
    if (!p->chunks) return;
    uintptr_t chunk = p->chunk[p->base];
    uint32_t slack = w->walk.attempts > 2 ? CHUNK_BYTES : SLACK, size = p->chunk_len[p->base];
    uintptr_t used = top > chunk ? top - chunk : 0;
    p->top_used = used + slack < size ? (uint32_t)used + slack : size;
}

static bool in_chunks(const Prediction *p, uintptr_t addr) {
    for (int i = p->base; i < p->chunks; i++)
        if (addr >= p->chunk[i] && addr - p->chunk[i] < p->chunk_len[i]) return true;
    return false;
}

/* 3.11 and 3.12: the running frame hangs on a structure of the C stack, another one for every
 * entry from C. False: it was not one of the latest, and so was not copied. */
static bool find_cframe(const Walker *w, Prediction *p, uintptr_t cframe, uintptr_t *frame) {
    int i = 0;
    while (i < CFRAMES - 1 && p->cframe[i] && p->cframe[i] != cframe) i++;
    bool known = p->cframe[i] == cframe && i < w->stack - w->cframe && w->pieces[w->cframe + i].ok;
    if (known) *frame = word_at(piece_bytes(w->memory, &w->pieces[w->cframe + i]), 0);
    memmove(p->cframe + 1, p->cframe, (size_t)i * sizeof *p->cframe);
    p->cframe[0] = cframe;
    return known;
}

static bool executes(const Layout *l, const uint8_t *at) {
    return l->stack_is_pointer ? !word_at(at, l->frame_stack) : i32_at(at, l->frame_stack) < 0;
}

static void fill_frame(const Layout *l, uintptr_t addr, const uint8_t *at, WalkFrame *frame) {
    frame->addr = addr;
    frame->code = word_at(at, l->frame_code) & ~(uintptr_t)7;
    frame->instr = word_at(at, l->frame_instr);
    frame->owner = at[l->frame_owner];
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
    int cursor = 0;
    for (int i = 0; i < CLIMB_MAX; i++) {
        const uint8_t *at = find_frame(w, p, leaf, &cursor).at;
        if (!at) break;
        if (executes(l, at)) return leaf;
        const Code *code = codes_known(w->codes, word_at(at, l->frame_code) & ~(uintptr_t)7);
        if (l->stack_is_pointer || at[l->frame_owner] == l->owner_generator || !code) break;
        uintptr_t next = leaf + code->frame_bytes;
        const uint8_t *callee = find_frame(w, p, next, &cursor).at;
        if (!callee || word_at(callee, l->frame_previous) != leaf) break;
        leaf = next;
    }
    return addr;
}

/* Follow the frames from the leaf down. AGAIN: something was not predicted, and now is. */
static Attempt follow(Walker *w, Prediction *p, uintptr_t addr) {
    const Layout *l = w->layout;
    uint8_t single[512];
    bool missed = false;
    int cursor = 0;
    Copy above = {NULL, 0, false}; /* the frame of the data stack before, and where it lies */
    uintptr_t above_addr = 0;
    w->seen = 0;
    for (int steps = 0; addr; steps++) {
        if (steps > FRAMES_MAX) return BROKEN;
        Copy copy = find_frame(w, p, addr, &cursor);
        /* What the frame pointer points to must have been copied after it was read. */
        if (copy.at && !steps && !copy.late) return AGAIN;
        if (!copy.at) {
            missed = true;
            if (in_chunks(p, addr)) {
                expect_top(w, p, addr + l->frame_size);
                return AGAIN;
            }
            if (addr % sizeof(void *)) return AGAIN;
            if (!expect_outside(w, p, addr)) return BROKEN;
            uint32_t len = l->gen_state_back + l->frame_size;
            if (!memory_read(w->memory, addr - l->gen_state_back, single, len)) return AGAIN;
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

/* Read once more what the trace is made of, and whether its context is still the current one. */
static bool trace_is_current(Walker *w, uintptr_t tstate, const SpanTrace *trace) {
    w->count = 0;
    for (int i = 0; i < trace->count; i++)
        add_piece(w, trace->read[i].addr, trace->read[i].len);
    int last = add_piece(w, tstate + w->layout->ts_context, sizeof(uintptr_t));
    memory_gather(w->memory, w->pieces, w->count);
    return w->pieces[last].ok && trace_holds(w, trace, 0) &&
           word_at(piece_bytes(w->memory, &w->pieces[last]), 0) == trace->context;
}

/* The span of the context that was current while the stack was copied. If it was not looked up in
 * that very copy, it is now, half a microsecond later: a context that is still current then is
 * still the same task's. UNSPANNED: it is not. */
static Attempt find_span(Walker *w, uintptr_t tstate, Prediction *p, uintptr_t context_after) {
    SpanTrace *trace = &p->trace;
    uintptr_t context = w->walk.context;
    w->walk.span = 0;
    w->walk.span_known = true;
    if (!w->key->variable || (!context && !context_after)) return GOOD;
    w->walk.span_known = false;
    if (context != context_after) return UNSPANNED;
    bool found = trace->context == context && trace_holds(w, trace, w->trace);
    if (!found && trace->whole) {
        /* Tasks that were made in the same context share its content. */
        trace->context = context;
        trace->read[0].addr = context + w->layout->context_vars;
        found = trace_is_current(w, tstate, trace);
    }
    if (!found) {
        context_trace(w->memory, w->layout, w->key, context, trace);
        found = trace_is_current(w, tstate, trace);
    }
    w->walk.span = found ? trace->span : 0;
    w->walk.span_known = found;
    return found ? GOOD : UNSPANNED;
}

static Attempt look(Walker *w, uintptr_t tstate, Prediction *p) {
    const Layout *l = w->layout;
    list_pieces(w, tstate, p);
    memory_gather(w->memory, w->pieces, w->count);
    if (!w->pieces[w->begin].ok || !w->pieces[w->end].ok) return GONE;
    const uint8_t *begin = piece_bytes(w->memory, &w->pieces[w->begin]);
    const uint8_t *end = piece_bytes(w->memory, &w->pieces[w->end]);
    uintptr_t frame = word_at(begin, l->ts_frame);
    uintptr_t chunk = word_at(begin, l->ts_chunk);
    if (l->frame_indirect) {
        if (!frame) return EMPTY;
        if (!find_cframe(w, p, frame, &frame)) return AGAIN;
    }
    if (!frame) return EMPTY;
    if (!find_chunks(w, p, chunk)) {
        expect_top(w, p, word_at(begin, l->ts_top));
        return AGAIN;
    }
    w->walk.top = word_at(begin, l->ts_top);
    w->walk.base_frame = l->ts_base_frame ? word_at(begin, l->ts_base_frame) : 0;
    w->walk.context = word_at(begin, l->ts_context);
    Attempt followed = follow_either(w, p, frame, end);
    if (word_at(end, l->ts_chunk) == chunk) expect_top(w, p, word_at(end, l->ts_top));
    if (followed != GOOD) return followed;
    w->walk.frame = w->walk.frames[0].addr;
    return find_span(w, tstate, p, word_at(end, l->ts_context));
}

/* What is certain when every look has failed: the frames from the leaf on that fit each other, if
 * the last look was one look at all. */
static void keep_good(Walk *walk, int good) {
    walk->leaf_count = walk->count = good < walk->leaf_count ? good : walk->leaf_count;
    walk->omitted = 0;
}

static void remember(const Walk *walk, Prediction *p) {
    p->last_count = 0;
    if (walk->omitted) return;
    if (walk->count > p->last_room) {
        WalkFrame *larger = realloc(p->last, (size_t)walk->count * 2 * sizeof *larger);
        if (!larger) return;
        p->last = larger;
        p->last_room = walk->count * 2;
    }
    memcpy(p->last, walk->frames, (size_t)walk->count * sizeof *walk->frames);
    p->last_count = walk->count;
}

Verdict walk_thread(Walker *w, uintptr_t tstate, Prediction *p, bool running) {
    Walk *walk = &w->walk;
    int good = 0, unspanned = 0, broken = 0;
    w->number++;
    walk->span = 0; /* a walk that looks up none must not keep that of another thread's */
    walk->span_known = false;
    codes_begin(w->codes);
    calls_begin(&w->calls);
    if (p->outsides > 32) forget_outside(p, w->number);
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        w->seen = 0;
        if (i == ATTEMPTS_MAX / 2) p->chunks = p->base = 0; /* their list was torn, maybe: read it anew */
        walk->attempts = (uint32_t)i + 1;
        walk->count = walk->omitted = walk->leaf_count = good = 0;
        Attempt attempt = look(w, tstate, p);
        if (attempt == GONE) return WALK_GONE;
        if (attempt == EMPTY) return WALK_EMPTY;
        if (attempt == UNSPANNED && ++unspanned < UNSPANNED_MAX) continue;
        if (attempt == BROKEN && ++broken == BROKEN_MAX) break; /* each takes milliseconds */
        if (attempt > UNSPANNED) continue;
        for (int n = 0; n < walk->count; n++) w->addrs[n] = walk->frames[n].code;
        codes_check(w->codes, w->addrs, walk->count);
        bool whole;
        good = walk_check(w, p, &whole);
        walk->leaf_instr = walk->frames[0].instr;
        if (!whole) continue;
        if (running && !calls_known(&w->calls, w->codes, walk, p->last, p->last_count)) continue;
        remember(walk, p);
        return WALK_WHOLE;
    }
    keep_good(walk, good);
    return WALK_TORN;
}
