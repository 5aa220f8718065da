/* Copies of memory that may vanish at any moment: a bad address is an answer, never a fault. */
#ifndef FLAMESPAN_MEMORY_H
#define FLAMESPAN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MEMORY_BYTES = 4 << 20, /* what one gather can bring */
    MEMORY_SCRATCH = 64 << 10,
    GATHER_MAX = 1000 /* pieces of one system call (the kernel takes 1024) */
};

typedef struct {
    uintptr_t addr;
    uint32_t len;
    uint32_t off; /* set by memory_gather: where in Memory.bytes the copy lies */
    bool ok;
} Piece;

typedef enum { MEMORY_NONE, MEMORY_WRITE_FILE, MEMORY_READ_SELF, MEMORY_TEST } MemoryWay;

typedef struct Memory Memory;
struct Memory {
    MemoryWay way;
    int file;       /* MEMORY_WRITE_FILE: in the descriptor table of the thread that opened it */
    uint8_t *bytes; /* MEMORY_SCRATCH for single reads, then MEMORY_BYTES */
    /* MEMORY_TEST: stands in for all of memory, in tests and fuzzing */
    bool (*test)(void *context, uintptr_t addr, void *to, size_t len);
    void *test_context;
};

/* Find a way that works here. Only the calling thread may use `memory` from then on; it may lose
 * its view of the process's file descriptors. False: there is none (a sandbox forbids it). */
bool memory_open(Memory *memory, bool may_drop_files);
void memory_close(Memory *memory);

/* Copy all pieces, in their order and as close together in time as can be. Returns how many
 * could be read; `ok` tells of each. Pieces that do not fit in MEMORY_BYTES are not read. */
int memory_gather(Memory *memory, Piece *pieces, int count);

/* Copy one stretch. */
bool memory_read(Memory *memory, uintptr_t addr, void *to, size_t len);

static inline const uint8_t *piece_bytes(const Memory *memory, const Piece *piece) {
    return memory->bytes + piece->off;
}

#endif
