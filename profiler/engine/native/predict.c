#include "predict.h"

#include <stdlib.h>
#include <string.h>

#include "word.h"

enum {
    PAGE = 4096,
    OVERLAP = 768,
    SLACK = 512, /* bytes beyond the top of the data stack: it may have grown meanwhile */
    CHUNK_MAX = 1 << 20,
    CHUNK_BYTES = 16 << 10, /* usual size of a chunk */
    NEWER = 4096,           /* bytes of a chunk that was given up, in case it is in use again */
    FORGET_AFTER = 64       /* walks that did not meet a frame outside the data stack */
};

void prediction_free(Prediction *p) {
    free(p->outside);
    free(p->met);
    free(p->last);
    memset(p, 0, sizeof *p);
}

int predict_piece(Walker *w, uintptr_t addr, uint32_t len) {
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
            predict_piece(w, addr, room);
            room = PAGE;
        }
        uint32_t some = len < room ? len : room;
        predict_piece(w, addr, some);
        if (some == len) return;
        addr += some - OVERLAP;
        len -= some - OVERLAP;
    }
}

void predict_pieces(Walker *w, uintptr_t tstate, const Prediction *p) {
    const Layout *l = w->layout;
    int cframes = 0;
    while (l->frame_indirect && cframes < CFRAMES && p->cframe[cframes]) cframes++;
    w->count = 0;
    w->bytes = 0;
    /* The oldest part of the data stack first: it hardly changes. The frame pointer right before
     * the part that it may point to. */
    for (int i = p->chunks - 1; i > p->base + 1; i--) add_stack(w, p->chunk[i], p->chunk_len[i]);
    w->begin = predict_piece(w, tstate, l->ts_size);
    w->cframe = w->count;
    for (int i = 0; i < cframes; i++) predict_piece(w, p->cframe[i] + l->cframe_frame, 8);
    w->stack = w->count;
    if (p->base + 1 < p->chunks) add_stack(w, p->chunk[p->base + 1], p->chunk_len[p->base + 1]);
    if (p->chunks) add_stack(w, p->chunk[p->base], p->top_used);
    if (p->base) add_stack(w, p->chunk[p->base - 1], NEWER);
    w->outside = w->count;
    for (int i = 0; i < p->outsides; i++)
        predict_piece(w, p->outside[i] - l->gen_state_back, l->gen_state_back + l->frame_size);
    w->trace = w->count;
    for (int i = 0; i < p->trace.count; i++)
        predict_piece(w, p->trace.read[i].addr, p->trace.read[i].len);
    w->code = w->count;
    for (int i = 0; i < p->codes; i++)
        if (codes_list(w->codes, p->code[i], &w->pieces[w->count])) w->count += 2;
    w->end = predict_piece(w, tstate, l->ts_size);
}

const uint8_t *predict_within(const Walker *w, int piece, uintptr_t addr, uint32_t len) {
    const Piece *p = &w->pieces[piece];
    if (!p->ok || addr < p->addr || addr - p->addr > p->len || p->len - (addr - p->addr) < len)
        return NULL;
    return piece_bytes(w->memory, p) + (addr - p->addr);
}

Cursor predict_cursor(const Walker *w) { return (Cursor){.piece = w->outside - 1}; }

Copy predict_find(const Walker *w, Prediction *p, uintptr_t addr, Cursor *cursor) {
    const Layout *l = w->layout;
    for (int n = 0; n < w->outside; n++) {
        int i = cursor->piece >= n ? cursor->piece - n : cursor->piece - n + w->outside;
        if (i < w->stack && i >= w->begin) continue;
        /* What lies before a frame must be there, too: if it is a generator's, its state does. */
        const uint8_t *at = predict_within(w, i, addr - l->gen_state_back, l->gen_state_back + l->frame_size);
        if (!at) continue;
        cursor->piece = i;
        return (Copy){at + l->gen_state_back, i, i >= w->stack};
    }
    for (int n = 0; n < p->outsides; n++) {
        int i = cursor->outside + n < p->outsides ? cursor->outside + n : cursor->outside + n - p->outsides;
        if (p->outside[i] != addr || !w->pieces[w->outside + i].ok) continue;
        p->met[i] = w->number;
        cursor->outside = i + 1 < p->outsides ? i + 1 : 0;
        int piece = w->outside + i;
        return (Copy){piece_bytes(w->memory, &w->pieces[piece]) + l->gen_state_back, piece, true};
    }
    return (Copy){NULL, 0, false};
}

void predict_forget(Prediction *p, uint32_t now) {
    int kept = 0;
    for (int i = 0; i < p->outsides; i++) {
        if (now - p->met[i] > FORGET_AFTER) continue;
        p->outside[kept] = p->outside[i];
        p->met[kept++] = p->met[i];
    }
    p->outsides = kept;
}

bool predict_outside(Walker *w, Prediction *p, uintptr_t addr) {
    if (p->outsides == OUTSIDE_MAX) predict_forget(p, w->number);
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

bool predict_chunks(Walker *w, Prediction *p, uintptr_t newest) {
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

void predict_top(const Walker *w, Prediction *p, uintptr_t top) {
    if (!p->chunks) return;
    uintptr_t chunk = p->chunk[p->base];
    uint32_t slack = w->walk.attempts > 2 ? CHUNK_BYTES : SLACK, size = p->chunk_len[p->base];
    uintptr_t used = top > chunk ? top - chunk : 0;
    p->top_used = used + slack < size ? (uint32_t)used + slack : size;
}

bool predict_in_chunks(const Prediction *p, uintptr_t addr) {
    for (int i = p->base; i < p->chunks; i++)
        if (addr >= p->chunk[i] && addr - p->chunk[i] < p->chunk_len[i]) return true;
    return false;
}

bool predict_cframe(const Walker *w, Prediction *p, uintptr_t cframe, uintptr_t *frame) {
    int i = 0;
    while (i < CFRAMES - 1 && p->cframe[i] && p->cframe[i] != cframe) i++;
    bool known = p->cframe[i] == cframe && i < w->stack - w->cframe && w->pieces[w->cframe + i].ok;
    if (known) *frame = word_at(piece_bytes(w->memory, &w->pieces[w->cframe + i]), 0);
    memmove(p->cframe + 1, p->cframe, (size_t)i * sizeof *p->cframe);
    p->cframe[0] = cframe;
    return known;
}

static void remember_codes(Prediction *p, const Walk *walk) {
    p->codes = 0;
    for (int i = 0; i < walk->count && p->codes < KNOWN_CODES; i++) {
        int k = 0;
        while (k < p->codes && p->code[k] != walk->frames[i].code) k++;
        if (k == p->codes) p->code[p->codes++] = walk->frames[i].code;
    }
}

void predict_remember(Prediction *p, const Walk *walk) {
    p->last_count = 0;
    remember_codes(p, walk);
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
