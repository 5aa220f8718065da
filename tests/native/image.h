/* A made-up memory for the fuzzer: what lies in it, and all the ways in which it can be hostile. */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must hold whatever the memory says. */
#define CHECK(holds)                                                              \
    do {                                                                          \
        if (!(holds)) {                                                           \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* Decisions, taken from the bytes of the input; when they are used up, from a generator, or, where
 * that has no seed, always the first possibility: the harmless one. */
typedef struct {
    const uint8_t *at;
    size_t left;
    uint64_t random; /* 0: none */
} Choices;

static uint64_t next_random(uint64_t *state) { /* splitmix64 (Sebastiano Vigna, public domain) */
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t pick_bytes(Choices *c, int count) {
    if (!c->left && c->random) return next_random(&c->random) >> (64 - 8 * count);
    uint64_t value = 0;
    for (int i = 0; i < count && c->left; i++, c->left--) value = value << 8 | *c->at++;
    return value;
}

static uint32_t pick(Choices *c, uint32_t below) {
    return (uint32_t)(pick_bytes(c, below <= 256 ? 1 : below <= 65536 ? 2 : 4) % below);
}

enum {
    IMAGE_BYTES = 1 << 20,
    IMAGE_TAIL = 20 << 10, /* readable behind the last object, as memory mostly is */
    FIELDS_MAX = 1 << 13,
    CHANGES_MAX = 16
};

/* Two objects lie where the layouts say; all others where there is room. */
#define IMAGE_BASE ((uintptr_t)0x7f1200400000)
#define IMAGE_RUNTIME (IMAGE_BASE + 0x100)
#define IMAGE_CODE_TYPE (IMAGE_BASE + 0x40)

typedef struct {
    uint32_t at; /* where in the image */
    uint32_t width;
} Field;

typedef struct {
    uint8_t *bytes, *before; /* `before`: as they were built */
    uint32_t used;
    Field fields[FIELDS_MAX]; /* what the readers go by, and so what is worth corrupting */
    int field_count;
    /* while it is read */
    uint64_t reads;
    uint32_t fail_one_in, change_one_in; /* reads that fail; reads before which a field changes */
    Choices fate;
} Image;

static void image_clear(Image *m) {
    memset(m->bytes, 0, m->used + IMAGE_TAIL);
    m->used = 0x400;
    m->field_count = 0;
    m->reads = 0;
    m->fail_one_in = m->change_one_in = 0;
    m->fate = (Choices){0};
}

static void image_init(Image *m) {
    m->bytes = calloc(1, IMAGE_BYTES + IMAGE_TAIL);
    m->before = calloc(1, IMAGE_BYTES + IMAGE_TAIL);
    CHECK(m->bytes && m->before);
    m->used = 0;
    image_clear(m);
}

/* Room for an object; its address is a multiple of 16. */
static uintptr_t image_room(Image *m, uint32_t bytes) {
    bytes = (bytes + 15u) & ~15u;
    CHECK(bytes <= IMAGE_BYTES - m->used); /* else what is built would not be sound */
    m->used += bytes;
    return IMAGE_BASE + m->used - bytes;
}

static bool image_has(const Image *m, uintptr_t addr, uint64_t len) {
    uint64_t end = m->used + IMAGE_TAIL;
    return addr >= IMAGE_BASE && addr - IMAGE_BASE <= end && len <= end - (addr - IMAGE_BASE);
}

/* Write something that is never corrupted. */
static void image_fill(Image *m, uintptr_t addr, const void *from, uint32_t len) {
    if (image_has(m, addr, len)) memcpy(m->bytes + (addr - IMAGE_BASE), from, len);
}

static void image_field(Image *m, uintptr_t addr, uint64_t value, uint32_t width) {
    image_fill(m, addr, &value, width);
    if (m->field_count < FIELDS_MAX && image_has(m, addr, width))
        m->fields[m->field_count++] = (Field){(uint32_t)(addr - IMAGE_BASE), width};
}

static void put_word(Image *m, uintptr_t addr, uint64_t value) { image_field(m, addr, value, 8); }
static void put_u32(Image *m, uintptr_t addr, uint32_t value) { image_field(m, addr, value, 4); }
static void put_byte(Image *m, uintptr_t addr, uint8_t value) { image_field(m, addr, value, 1); }

static uint64_t image_word(const Image *m, Field field) {
    uint64_t value = 0;
    memcpy(&value, m->bytes + field.at, field.width);
    return value;
}

/* What a field may be found to hold: lists that bite their tails, another object's content,
 * addresses that are nobody's, counts beyond all sense. */
static uint64_t hostile_value(const Image *m, Choices *c, Field field) {
    uint64_t value = image_word(m, field);
    Field other = m->fields[pick(c, (uint32_t)m->field_count)];
    switch (pick(c, 14)) {
    case 0: return image_word(m, other); /* often of the same kind: objects alternate */
    case 1: return IMAGE_BASE + other.at;
    case 2: return IMAGE_BASE + field.at;
    case 3: return IMAGE_BASE + (field.at & ~63u);
    case 4: return 0;
    case 5: return ~(uint64_t)0 - pick(c, 16);
    case 6: return (uint64_t)1 << pick(c, 64);
    case 7: return value + pick(c, 64) - 32;
    case 8: return value ^ (uint64_t)1 << pick(c, 64);
    case 9: return 0x8000000000000000u | value; /* no address at all */
    case 10: return ((uint64_t)1 << 47) - pick(c, 8192);
    case 11: return IMAGE_BASE + pick(c, m->used + IMAGE_TAIL);
    case 12: return IMAGE_BASE + m->used + IMAGE_TAIL - pick(c, 128);
    default: return pick_bytes(c, 8);
    }
}

static void image_corrupt(Image *m, Choices *c) {
    if (!m->field_count) return;
    Field field = m->fields[pick(c, (uint32_t)m->field_count)];
    uint64_t value = hostile_value(m, c, field);
    memcpy(m->bytes + field.at, &value, field.width);
}

/* Another thing that happens: a field has its former value again. */
static void image_mend(Image *m, Choices *c) {
    if (!m->field_count) return;
    Field field = m->fields[pick(c, (uint32_t)m->field_count)];
    memcpy(m->bytes + field.at, m->before + field.at, field.width);
}

static void image_keep(Image *m) { memcpy(m->before, m->bytes, m->used + IMAGE_TAIL); }
static void image_restore(Image *m) { memcpy(m->bytes, m->before, m->used + IMAGE_TAIL); }

/* Stands in for all of memory: see memory.h. */
static bool image_read(void *context, uintptr_t addr, void *to, size_t len) {
    Image *m = context;
    m->reads++;
    if (m->change_one_in && !pick(&m->fate, m->change_one_in)) {
        for (uint32_t n = pick(&m->fate, CHANGES_MAX); n; n--) image_corrupt(m, &m->fate);
        for (uint32_t n = pick(&m->fate, CHANGES_MAX); n; n--) image_mend(m, &m->fate);
    }
    if (m->fail_one_in && !pick(&m->fate, m->fail_one_in)) return false;
    if (!image_has(m, addr, len)) return false;
    memcpy(to, m->bytes + (addr - IMAGE_BASE), len);
    return true;
}

#endif
