/* Reading numbers out of copied bytes, and mixing them into hashes. */
#ifndef FLAMESPAN_WORD_H
#define FLAMESPAN_WORD_H

#include <stdint.h>
#include <string.h>

static inline uintptr_t word_at(const uint8_t *bytes, uint32_t offset) {
    uintptr_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

static inline uint32_t u32_at(const uint8_t *bytes, uint32_t offset) {
    uint32_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

static inline int32_t i32_at(const uint8_t *bytes, uint32_t offset) {
    return (int32_t)u32_at(bytes, offset);
}

static inline int64_t i64_at(const uint8_t *bytes, uint32_t offset) {
    int64_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

/* Sebastiano Vigna's splitmix64 finalizer (public domain): every input bit reaches every output bit. */
static inline uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t mix_in(uint64_t hash, uint64_t word) {
    return mix(hash + 0x9e3779b97f4a7c15u + word);
}

#endif
