#include "context.h"

#include <string.h>

#include "word.h"

enum { NODE_HEAD = 24 /* type, size, bitmap */, COLLISIONS_MAX = 8, NAME_MAX = 24 };

uint32_t span_hash(int64_t python_hash) {
    uint32_t folded = (uint32_t)python_hash ^ (uint32_t)((uint64_t)python_hash >> 32);
    return folded == 0xffffffffu ? 0xfffffffeu : folded;
}

/* Read, and remember what was read. NULL: it cannot be, or there is too much of it. */
static const uint8_t *traced(Memory *memory, SpanTrace *trace, uintptr_t addr, uint32_t len) {
    if (trace->count == TRACE_READS || len > TRACE_BYTES) return NULL;
    int i = trace->count;
    if (!memory_read(memory, addr, trace->read[i].bytes, len)) return NULL;
    trace->read[i].addr = addr;
    trace->read[i].len = len;
    trace->count++;
    return trace->read[i].bytes;
}

/* The node types have no public name: know them by what they are called. */
static void learn_type(Memory *memory, const Layout *l, SpanKey *key, uintptr_t type) {
    uintptr_t at;
    char name[NAME_MAX];
    if (!memory_read(memory, type + l->type_name, &at, sizeof at) ||
        !memory_read(memory, at, name, sizeof name))
        return;
    if (memcmp(name, "hamt_bitmap_node", 17) == 0) key->bitmap_type = type;
    if (memcmp(name, "hamt_array_node", 16) == 0) key->array_type = type;
    if (memcmp(name, "hamt_collision_node", 20) == 0) key->collision_type = type;
}

/* The value behind `key`, or 0. `*done` tells a missing key from one that could not be read. */
static uintptr_t find_value(Memory *memory, const Layout *l, SpanKey *key, uintptr_t node,
                            SpanTrace *trace, bool *done) {
    const uint8_t *at;
    for (uint32_t shift = 0; shift < 40; shift += 5) {
        const uint8_t *head = traced(memory, trace, node + l->ob_type, NODE_HEAD);
        if (!head) return 0;
        uintptr_t type = word_at(head, 0);
        int64_t size = i64_at(head, 8);
        uint32_t slot = shift < 32 ? key->hash >> shift & 31 : 0;
        if (type != key->bitmap_type && type != key->array_type && type != key->collision_type)
            learn_type(memory, l, key, type);
        if (type && type == key->bitmap_type) {
            uint32_t bitmap = u32_at(head, l->node_bitmap - l->ob_type), bit = 1u << slot;
            *done = !(bitmap & bit);
            if (*done) return 0;
            uint32_t index = (uint32_t)__builtin_popcount(bitmap & (bit - 1));
            at = traced(memory, trace, node + l->node_bitmap_array + index * 16u, 16);
            if (!at) return 0;
            if (word_at(at, 0)) {
                *done = true;
                return word_at(at, 0) == key->variable ? word_at(at, 8) : 0;
            }
            node = word_at(at, 8);
        } else if (type && type == key->array_type) {
            at = traced(memory, trace, node + l->node_array + slot * 8u, 8);
            if (!at) return 0;
            node = word_at(at, 0);
            *done = !node;
            if (*done) return 0;
        } else if (type && type == key->collision_type) {
            for (int64_t i = 0; i < size / 2 && i < COLLISIONS_MAX; i++) {
                at = traced(memory, trace, node + l->node_bitmap_array + (uintptr_t)i * 16u, 16);
                if (!at) return 0;
                if (word_at(at, 0) != key->variable) continue;
                *done = true;
                return word_at(at, 8);
            }
            *done = size / 2 <= COLLISIONS_MAX;
            return 0;
        } else {
            return 0;
        }
    }
    return 0;
}

/* The nearest open span from the object at `at` up; anything that is no span of ours is none. */
static void find_open(Memory *memory, uintptr_t at, SpanTrace *trace) {
    for (int i = 0; at && i < SPAN_PARENTS_MAX; i++) {
        SpanCore core;
        const uint8_t *bytes = traced(memory, trace, at + SPAN_CORE_OFFSET, sizeof core);
        if (!bytes) return;
        memcpy(&core, bytes, sizeof core);
        if (core.magic != SPAN_MAGIC) break;
        if (!core.end_ns) {
            trace->span = core.id;
            trace->strand = core.strand;
            trace->open_at = at + SPAN_CORE_OFFSET + offsetof(SpanCore, end_ns);
            break;
        }
        at = core.parent;
    }
    trace->whole = true;
}

int64_t context_since(Memory *memory, uintptr_t open_at, uint64_t thread_ident) {
    uintptr_t at = open_at - SPAN_CORE_OFFSET - offsetof(SpanCore, end_ns);
    int64_t since = 0;
    for (int i = 0; at && i < SPAN_PARENTS_MAX; i++) {
        SpanLife life;
        if (!memory_read(memory, at + SPAN_CORE_OFFSET, &life, sizeof life) ||
            life.core.magic != SPAN_MAGIC)
            break;
        if (life.thread_ident == thread_ident) since = life.start_ns;
        at = life.core.parent;
    }
    return since;
}

void context_trace(Memory *memory, const Layout *l, SpanKey *key, uintptr_t context,
                   SpanTrace *trace) {
    trace->context = context;
    trace->span = 0;
    trace->strand = 0;
    trace->open_at = 0;
    trace->count = 0;
    trace->whole = false;
    const uint8_t *at = traced(memory, trace, context + l->context_vars, 8);
    if (at) at = traced(memory, trace, word_at(at, 0) + l->hamt_root, 8);
    if (!at) return;
    bool done = false;
    uintptr_t value = find_value(memory, l, key, word_at(at, 0), trace, &done);
    if (value) find_open(memory, value, trace);
    else trace->whole = done;
}
