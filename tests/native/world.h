/* Builds the structures of an interpreter in the image: all of them sound, to be corrupted then. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "context.h"
#include "layouts.h"

enum { CODES = 12, UNITS = 8, THREADS = 4, DEPTH_MAX = 400, CODE_WORDS = 24 };
enum { VARIABLE_HASH = 0x2a955u /* slots 21, 10, 10, 5, 0, 0, ... on the way down */ };

typedef struct {
    uintptr_t tstate, cframe;
    uintptr_t base, leaf, code[DEPTH_MAX]; /* leaf first */
    int32_t unit[DEPTH_MAX];
    int depth;
} Built;

typedef struct {
    Image *m;
    const Layout *l;
    uintptr_t variable, bitmap_type, array_type, collision_type;
    uintptr_t text[5], code[CODES], table;
    Built thread[THREADS];
    uintptr_t context[THREADS];
    int threads;
} World;

/* What a stack is to be made of. */
typedef struct {
    int depth;
    int generators; /* one in so many frames is a generator's; 0: none */
    int entries;    /* one in so many is called from C; 0: none but the first */
    int chunk;      /* frames of a chunk of the data stack */
} Plan;

static uintptr_t build_text(World *w, int kind, bool ascii, const void *units, int64_t count) {
    Image *m = w->m;
    const Layout *l = w->l;
    uint32_t head = ascii ? l->text_ascii_data : l->text_other_data;
    uintptr_t at = image_room(m, head + (uint32_t)(kind * count));
    put_word(m, at + l->text_length, (uint64_t)count);
    put_word(m, at + l->text_hash, at * 7);
    put_u32(m, at + l->text_state, (uint32_t)kind << l->text_kind.shift | l->text_compact.mask |
                                       (ascii ? l->text_ascii.mask : 0));
    image_fill(m, at + head, units, (uint32_t)(kind * count));
    return at;
}

static uintptr_t build_bytes(World *w, const uint8_t *from, uint32_t count) {
    uintptr_t at = image_room(w->m, w->l->bytes_data + count + 1);
    put_word(w->m, at + w->l->bytes_size, count);
    image_fill(w->m, at + w->l->bytes_data, from, count);
    return at;
}

/* Its line table says: instruction n is on line first + n + 1. */
static uintptr_t build_code(World *w, int number) {
    Image *m = w->m;
    const Layout *l = w->l;
    uint8_t table[2 * UNITS];
    char name[] = "function_?";
    for (int i = 0; i < UNITS; i++) table[2 * i] = 0xe8, table[2 * i + 1] = 2;
    name[9] = (char)('a' + number);
    uintptr_t qualname = build_text(w, 1, true, name, sizeof name - 1);
    uintptr_t lines = build_bytes(w, table, sizeof table);
    uintptr_t at = image_room(m, l->code_bytes + 2 * UNITS);
    put_word(m, at + l->ob_type, l->code_type);
    put_word(m, at + l->code_units, UNITS);
    put_word(m, at + l->code_filename, w->text[0]);
    put_word(m, at + l->code_qualname, qualname);
    put_word(m, at + l->code_linetable, lines);
    put_u32(m, at + l->code_firstline, 100u * (uint32_t)number);
    if (l->code_framesize) put_u32(m, at + l->code_framesize, CODE_WORDS);
    else put_u32(m, at + l->code_nlocalsplus, CODE_WORDS - l->frame_words);
    if (l->code_version) put_u32(m, at + l->code_version, 1000u + (uint32_t)number);
    return at;
}

static uintptr_t build_type(World *w, const char *name) {
    uintptr_t at = image_room(w->m, 64), text = image_room(w->m, 32);
    image_fill(w->m, text, name, (uint32_t)strlen(name)); /* types do not change: no fields */
    image_fill(w->m, at + w->l->type_name, &text, sizeof text);
    return at;
}

static uintptr_t build_span(World *w, int64_t id, int64_t end_ns, uintptr_t parent) {
    uintptr_t at = image_room(w->m, SPAN_CORE_OFFSET + sizeof(SpanCore)) + SPAN_CORE_OFFSET;
    put_word(w->m, at + offsetof(SpanCore, parent), parent);
    put_word(w->m, at + offsetof(SpanCore, id), (uint64_t)id);
    put_word(w->m, at + offsetof(SpanCore, end_ns), (uint64_t)end_ns);
    put_word(w->m, at + offsetof(SpanCore, magic), SPAN_MAGIC);
    put_word(w->m, at + offsetof(SpanCore, strand), (uint64_t)id << 16 | 1);
    return at - SPAN_CORE_OFFSET;
}

/* A node with the children given as pairs of words (of an array: as words). */
static uintptr_t build_node(World *w, uintptr_t type, uint32_t bitmap, const uint64_t *words,
                            int count) {
    const Layout *l = w->l;
    bool array = type == w->array_type;
    uint32_t first = array ? l->node_array : l->node_bitmap_array;
    uintptr_t at = image_room(w->m, first + 8u * (uint32_t)count);
    put_word(w->m, at + l->ob_type, type);
    if (!array) put_word(w->m, at + l->ob_size, (uint64_t)count);
    if (!array) put_u32(w->m, at + l->node_bitmap, bitmap);
    for (int i = 0; i < count; i++) put_word(w->m, at + first + 8u * (uint32_t)i, words[i]);
    return at;
}

/* What leads to the variable's value: kinds of nodes from the root down, 'b', 'a', 'c'. In the last
 * one the variable is the second entry, unless it is to be missing. */
static uintptr_t build_tree(World *w, const char *path, int depth, uintptr_t value) {
    uint32_t slot = depth < 7 ? VARIABLE_HASH >> 5 * depth & 31 : 0, below = slot ? 1u : 0u;
    bool last = !path[1];
    uintptr_t child = last ? 0 : build_tree(w, path + 1, depth + 1, value);
    uint64_t words[32] = {0}, other = w->text[0];
    if (*path == 'a') {
        words[slot] = last ? 0 : child;
        return build_node(w, w->array_type, 0, words, 32);
    }
    if (*path == 'c') {
        uint64_t pairs[] = {other, other, value ? w->variable : other, value};
        return build_node(w, w->collision_type, VARIABLE_HASH, pairs, 4);
    }
    words[0] = other;
    words[2 * below] = last ? w->variable : 0;
    words[2 * below + 1] = last ? value : child;
    uint32_t bitmap = below | (last && !value ? 0 : 1u << slot);
    return build_node(w, w->bitmap_type, bitmap, words, 4);
}

static uintptr_t build_context(World *w, const char *path, uintptr_t span) {
    uintptr_t root = build_tree(w, path, 0, span);
    uintptr_t map = image_room(w->m, 48), context = image_room(w->m, 64);
    put_word(w->m, map + w->l->hamt_root, root);
    put_word(w->m, context + w->l->context_vars, map);
    return context;
}

/* A chunk on top of `previous`, which is in use up to `top`. */
static uintptr_t build_chunk(World *w, uintptr_t previous, uint32_t size, uintptr_t top) {
    const Layout *l = w->l;
    uintptr_t at = image_room(w->m, size);
    if (previous) put_word(w->m, previous + l->chunk_top, (top - previous - l->chunk_data) / 8);
    put_word(w->m, at + l->chunk_previous, previous);
    put_word(w->m, at + l->chunk_size, size);
    return at;
}

/* C's entry point below frame `previous`; 3.11 has none, there frames say it themselves. */
static uintptr_t build_entry(World *w, uintptr_t previous) {
    if (w->l->frame_entry) return previous;
    uintptr_t at = image_room(w->m, 16 + w->l->frame_size) + 16;
    put_word(w->m, at + w->l->frame_previous, previous);
    put_byte(w->m, at + w->l->frame_owner, w->l->owner_shim);
    return at;
}

typedef struct {
    uintptr_t code, previous;
    int unit;
    bool generator, from_c, running;
} FramePlan;

static void build_frame(World *w, uintptr_t at, const FramePlan *f) {
    Image *m = w->m;
    const Layout *l = w->l;
    put_word(m, at + l->frame_code, f->code);
    put_word(m, at + l->frame_previous, f->previous);
    put_word(m, at + l->frame_instr, f->code + l->code_bytes + 2u * (uint32_t)f->unit);
    put_byte(m, at + l->frame_owner, f->generator ? l->owner_generator : 0);
    if (l->frame_entry) put_byte(m, at + l->frame_entry, f->from_c);
    if (l->stack_is_pointer) put_word(m, at + l->frame_stack, f->running ? 0 : at + 96);
    else put_u32(m, at + l->frame_stack, f->running ? ~0u : 3);
    if (f->generator) put_byte(m, at - l->gen_state_back, (uint8_t)l->gen_executing);
}

static bool one_in(int number, int every) { return every && number % every == every - 1; }

/* Frames from the root up, end to end in chunks of the data stack; generators lie elsewhere. */
static void build_stack(World *w, Built *b, const Plan *plan, uintptr_t *chunk, uintptr_t *top) {
    const Layout *l = w->l;
    uint32_t frame_bytes = CODE_WORDS * 8;
    uint32_t size = l->chunk_data + frame_bytes * (uint32_t)plan->chunk;
    uintptr_t previous = b->base = build_entry(w, 0), at = 0;
    *chunk = *top = 0;
    b->depth = plan->depth;
    for (int i = 0, used = 0; i < plan->depth; i++) {
        int number = (i * 5 + plan->depth) % CODES, leaf = plan->depth - 1 - i;
        FramePlan f = {.code = w->code[number], .unit = i % UNITS, .running = !leaf};
        f.generator = i && one_in(i, plan->generators);
        f.from_c = !i || one_in(i, plan->entries);
        f.running = !leaf || one_in(i + 1, plan->entries);
        f.previous = i && f.from_c ? build_entry(w, previous) : previous;
        if (f.generator) {
            at = image_room(w->m, 16 + frame_bytes) + 16;
        } else {
            if (used++ % plan->chunk == 0) {
                *chunk = build_chunk(w, *chunk, size, *top);
                *top = *chunk + l->chunk_data;
            }
            at = *top;
            *top += frame_bytes;
        }
        build_frame(w, at, &f);
        b->code[leaf] = f.code;
        b->unit[leaf] = f.unit;
        previous = at;
    }
    b->leaf = previous;
}

static void build_thread(World *w, uintptr_t interp, const Plan *plan, uintptr_t context) {
    Image *m = w->m;
    const Layout *l = w->l;
    Built *b = &w->thread[w->threads];
    uintptr_t chunk, top;
    build_stack(w, b, plan, &chunk, &top);
    b->tstate = image_room(m, l->ts_size);
    b->cframe = l->frame_indirect ? image_room(m, 16) : 0;
    if (b->cframe) put_word(m, b->cframe + l->cframe_frame, b->leaf);
    put_word(m, b->tstate + l->ts_frame, b->cframe ? b->cframe : b->leaf);
    put_word(m, b->tstate + l->ts_interp, interp);
    put_word(m, b->tstate + l->ts_thread_id, 0x7000 + (uint64_t)w->threads);
    put_word(m, b->tstate + l->ts_native_id, 1000 + (uint64_t)w->threads);
    put_word(m, b->tstate + l->ts_context, context);
    put_word(m, b->tstate + l->ts_chunk, chunk);
    put_word(m, b->tstate + l->ts_top, top);
    if (l->status_mask) put_u32(m, b->tstate + l->ts_status, w->threads == 0);
    if (l->ts_base_frame) put_word(m, b->tstate + l->ts_base_frame, b->base);
    w->context[w->threads++] = context;
}

/* Interpreters with the threads built, in turn; the first thread holds the GIL. */
static void build_lists(World *w, const uintptr_t *interps, int count) {
    Image *m = w->m;
    const Layout *l = w->l;
    for (int i = 0; i < count; i++) {
        uintptr_t link = interps[i] + l->interp_threads;
        for (int n = i; n < w->threads; n += count) {
            put_word(m, link, w->thread[n].tstate);
            link = w->thread[n].tstate + l->ts_next;
        }
        put_word(m, interps[i] + l->interp_id, (uint64_t)i);
        put_word(m, interps[i] + l->interp_next, i + 1 < count ? interps[i + 1] : 0);
        if (!l->gil_in_runtime) put_word(m, interps[i] + l->interp_gil, interps[i] + 64);
        put_u32(m, interps[i] + l->interp_collecting, 0);
    }
    put_word(m, l->runtime + l->runtime_interpreters, interps[0]);
    if (l->runtime_current) put_word(m, l->runtime + l->runtime_current, w->thread[0].tstate);
}

/* All that threads need; texts of each kind, with what is at the edges of UTF-8's lengths. */
static void build_world(World *w, Image *m, const Layout *l) {
    static const uint16_t two[] = {0x141, 0x20ac, 0xd800, 0x7ff, 'x'};
    static const uint32_t four[] = {0x1f600, 'y', 0x10ffff, 0xffff};
    memset(w, 0, sizeof *w);
    w->m = m;
    w->l = l;
    image_clear(m);
    w->text[0] = build_text(w, 1, true, "/srv/app.py", 11);
    w->text[1] = build_text(w, 1, false, "caf\xe9", 4);
    w->text[2] = build_text(w, 2, false, two, 5);
    w->text[3] = build_text(w, 4, false, four, 4);
    w->text[4] = build_text(w, 1, true, "", 0);
    w->variable = image_room(m, 32);
    w->bitmap_type = build_type(w, "hamt_bitmap_node");
    w->array_type = build_type(w, "hamt_array_node");
    w->collision_type = build_type(w, "hamt_collision_node");
    for (int i = 0; i < CODES; i++) w->code[i] = build_code(w, i);
}

#endif
