/* The ways to read memory that may not be there, tried on pages of which some are not. */
#ifndef FUZZ_REAL_MEMORY_H
#define FUZZ_REAL_MEMORY_H

#include "image.h"
#include "memory.h"

#if defined(__linux__)
#include <pthread.h>
#include <sys/mman.h>

enum { PAGES = 6, PAGE_BYTES = 4096, GAP_PAGE = 3, PIECES = 1500, GATHERS = 60 };

typedef struct {
    uint8_t *pages; /* that of number GAP_PAGE cannot be read, nor what lies behind the last one */
    bool may_drop_files;
    const char *trouble;
} Trial;

static bool is_there(const Trial *t, uintptr_t addr, size_t len) {
    uintptr_t first = (uintptr_t)t->pages, gap = first + GAP_PAGE * PAGE_BYTES;
    if (addr < first || addr >= first + PAGES * PAGE_BYTES) return false;
    if (addr < gap) return addr + len <= gap;
    return addr >= gap + PAGE_BYTES && addr + len <= first + PAGES * PAGE_BYTES;
}

static uintptr_t place(const Trial *t, Choices *c) {
    switch (pick(c, 8)) {
    case 0: return (uintptr_t)pick_bytes(c, 8);           /* mostly the kernel's or nobody's */
    case 1: return (uintptr_t)pick(c, 2 * PAGE_BYTES);    /* around NULL */
    case 2: return ((uintptr_t)1 << 47) - pick(c, PAGE_BYTES); /* a page that is never there */
    default: return (uintptr_t)t->pages + pick(c, PAGES * PAGE_BYTES);
    }
}

static const char *gather_once(const Trial *t, Memory *memory, Choices *c) {
    static Piece pieces[PIECES];
    int count = 1 + (int)pick(c, PIECES), sum = 0;
    for (int i = 0; i < count; i++)
        pieces[i] = (Piece){.addr = place(t, c), .len = pick(c, 2000)};
    int read = memory_gather(memory, pieces, count);
    for (int i = 0; i < count; i++) {
        const Piece *p = &pieces[i];
        sum += p->ok;
        if (!p->len) continue;
        if (p->ok != is_there(t, p->addr, p->len)) return "a piece is not told from a bad one";
        if (p->ok && memcmp(piece_bytes(memory, p), (const void *)p->addr, p->len))
            return "a piece is not where it is said to be";
    }
    return sum == read ? NULL : "pieces are miscounted";
}

static const char *read_once(const Trial *t, Memory *memory, Choices *c) {
    static uint8_t copy[3 * PAGE_BYTES];
    uintptr_t addr = place(t, c);
    size_t len = 1 + pick(c, sizeof copy);
    if (memory_read(memory, addr, copy, len) != is_there(t, addr, len)) return "a bad read";
    return is_there(t, addr, len) && memcmp(copy, (const void *)addr, len) ? "a wrong copy" : NULL;
}

/* In a thread of its own, since it may lose its view of the files. */
static void *try_memory(void *given) {
    Trial *t = given;
    Memory memory;
    Choices c = {.random = 4711};
    if (!memory_open(&memory, t->may_drop_files)) return NULL; /* forbidden here: so be it */
    for (int i = 0; i < GATHERS && !t->trouble; i++) {
        t->trouble = gather_once(t, &memory, &c);
        if (!t->trouble) t->trouble = read_once(t, &memory, &c);
    }
    memory_close(&memory);
    return NULL;
}

static void answer_memory(void) {
    size_t size = (PAGES + 1) * PAGE_BYTES;
    uint8_t *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    Choices c = {.random = 42};
    for (size_t i = 0; i < size; i++) pages[i] = (uint8_t)pick_bytes(&c, 1);
    CHECK(mprotect(pages + GAP_PAGE * PAGE_BYTES, PAGE_BYTES, PROT_NONE) == 0);
    CHECK(mprotect(pages + PAGES * PAGE_BYTES, PAGE_BYTES, PROT_NONE) == 0);
    for (int way = 0; way < 2; way++) {
        Trial trial = {pages, way, NULL};
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, try_memory, &trial) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        if (trial.trouble) fprintf(stderr, "real memory, way %d: %s\n", way, trial.trouble);
        CHECK(!trial.trouble);
    }
    munmap(pages, size);
}

#else

static void answer_memory(void) {}

#endif
#endif
