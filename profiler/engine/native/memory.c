/* Fault-free copies. Three ways, the first that works:
 *
 * 1. Linux: write from the address into a file in memory that is also mapped. The kernel answers
 *    EFAULT for a bad address, and gathers a thousand pieces in one call at about 20 ns a piece.
 *    The file's descriptor lives in a table of the sampler thread's own (close_range with
 *    CLOSE_RANGE_UNSHARE): an application that closes all descriptors and opens its own in their
 *    place can never be written into.
 * 2. Linux: process_vm_readv on oneself: about 400 ns a piece.
 * 3. macOS and Windows: the system's read of another process, on oneself. Not run by us yet.
 *
 * A handler of SIGSEGV around plain loads would be faster and is out of the question: the
 * handler is the whole process's. */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* System calls are made directly: sanitizers wrap the library's, and reading memory that is not
 * ours to read is the very purpose here. */
static long write_pieces(int file, const struct iovec *from, int count, size_t at) {
    return syscall(SYS_pwritev, file, from, (long)count, (long)at, 0L);
}

static long read_pieces(uint8_t *to, size_t room, const struct iovec *from, int count) {
    struct iovec into = {to, room};
    return syscall(SYS_process_vm_readv, (long)getpid(), &into, 1L, from, (long)count, 0L);
}

static bool open_file(Memory *memory) {
    if (syscall(SYS_close_range, 0u, ~0u, CLOSE_RANGE_UNSHARE) != 0) return false;
    memory->file = (int)syscall(SYS_memfd_create, "flamespan", 1u /* close on exec */);
    if (memory->file < 0) return false;
    size_t size = MEMORY_BYTES + MEMORY_SCRATCH;
    void *bytes = MAP_FAILED;
    if (ftruncate(memory->file, (off_t)size) == 0)
        bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->file, 0);
    if (bytes == MAP_FAILED) {
        close(memory->file);
        return false;
    }
    madvise(bytes, size, MADV_DONTFORK); /* a child must not see or change it */
    memory->bytes = bytes;
    memory->way = MEMORY_WRITE_FILE;
    return true;
}

static bool open_private(Memory *memory, MemoryWay way) {
    void *bytes = mmap(NULL, MEMORY_BYTES + MEMORY_SCRATCH, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) return false;
    memory->bytes = bytes;
    memory->way = way;
    return true;
}

static void unmap(Memory *memory) { munmap(memory->bytes, MEMORY_BYTES + MEMORY_SCRATCH); }

static long copy_some(Memory *memory, const struct iovec *from, int count, size_t at) {
    if (memory->way == MEMORY_WRITE_FILE) return write_pieces(memory->file, from, count, at);
    return read_pieces(memory->bytes + at, MEMORY_BYTES + MEMORY_SCRATCH - at, from, count);
}

#else /* macOS, Windows */

struct iovec {
    void *iov_base;
    size_t iov_len;
};

#if defined(__APPLE__)
#include <mach/mach.h>
#include <mach/mach_vm.h>
static bool copy_one(void *to, const void *from, size_t len) {
    mach_vm_size_t got = 0;
    return mach_vm_read_overwrite(mach_task_self(), (mach_vm_address_t)from, len,
                                  (mach_vm_address_t)to, &got) == KERN_SUCCESS && got == len;
}
#elif defined(_WIN32)
#include <windows.h>
static bool copy_one(void *to, const void *from, size_t len) {
    SIZE_T got = 0;
    return ReadProcessMemory(GetCurrentProcess(), from, to, len, &got) && got == len;
}
#else
static bool copy_one(void *to, const void *from, size_t len) {
    (void)to, (void)from, (void)len;
    return false;
}
#endif

static bool open_file(Memory *memory) {
    (void)memory;
    return false;
}

static bool open_private(Memory *memory, MemoryWay way) {
    memory->bytes = calloc(1, MEMORY_BYTES + MEMORY_SCRATCH);
    memory->way = way;
    return memory->bytes != NULL;
}

static void unmap(Memory *memory) { free(memory->bytes); }

static long copy_some(Memory *memory, const struct iovec *from, int count, size_t at) {
    size_t done = 0;
    for (int i = 0; i < count; i++) {
        if (!copy_one(memory->bytes + at + done, from[i].iov_base, from[i].iov_len)) break;
        done += from[i].iov_len;
    }
    return done ? (long)done : -1;
}

#endif

static bool works(Memory *memory) {
    uint64_t known = 0x666c616d65737061u, copy = 0;
    return memory_read(memory, (uintptr_t)&known, &copy, sizeof copy) && copy == known &&
           !memory_read(memory, 8, &copy, sizeof copy);
}

bool memory_open(Memory *memory, bool may_drop_files) {
    memory->way = MEMORY_NONE;
    memory->file = -1;
    if (may_drop_files && open_file(memory)) {
        if (works(memory)) return true;
        memory_close(memory);
    }
    if (open_private(memory, MEMORY_READ_SELF)) {
        if (works(memory)) return true;
        memory_close(memory);
    }
    return false;
}

void memory_close(Memory *memory) {
    if (memory->way == MEMORY_NONE || memory->way == MEMORY_TEST) return;
    unmap(memory);
#if defined(__linux__)
    if (memory->way == MEMORY_WRITE_FILE) close(memory->file);
#endif
    memory->bytes = NULL;
    memory->way = MEMORY_NONE;
}

static int gather_test(Memory *memory, Piece *pieces, int count) {
    int read = 0;
    for (int i = 0; i < count; i++) {
        Piece *p = &pieces[i];
        p->ok = p->ok && memory->test(memory->test_context, p->addr, memory->bytes + p->off, p->len);
        read += p->ok;
    }
    return read;
}

/* One stretch of pieces that follow one another in `bytes`; a bad one is left out and the rest
 * goes on behind it. */
static int gather_run(Memory *memory, Piece *pieces, int count) {
    struct iovec from[GATHER_MAX];
    for (int i = 0; i < count; i++) {
        from[i].iov_base = pieces[i].ok ? (void *)pieces[i].addr : NULL;
        from[i].iov_len = pieces[i].ok ? pieces[i].len : 0;
    }
    int done = 0, read = 0;
    while (done < count) {
        long got = copy_some(memory, from + done, count - done, pieces[done].off);
        for (; done < count && got >= (long)from[done].iov_len; done++) {
            got -= (long)from[done].iov_len;
            read += pieces[done].ok;
        }
        if (done < count) pieces[done++].ok = false;
    }
    return read;
}

/* The kernel refuses a whole call for one address that can be nobody's. */
static bool is_address(const Piece *piece) {
#if defined(__aarch64__)
    uint64_t limit = (uint64_t)1 << 48;
#else
    uint64_t limit = (uint64_t)1 << (sizeof(void *) > 4 ? 47 : 32);
#endif
    return piece->addr >= 4096 && piece->addr < limit - 4096 - piece->len;
}

int memory_gather(Memory *memory, Piece *pieces, int count) {
    uint32_t at = MEMORY_SCRATCH;
    int read = 0;
    for (int i = 0; i < count; i++) {
        Piece *piece = &pieces[i];
        piece->off = at;
        piece->ok = is_address(piece) && piece->len <= MEMORY_SCRATCH + MEMORY_BYTES - at;
        at += piece->ok ? piece->len : 0;
    }
    if (memory->way == MEMORY_TEST) return gather_test(memory, pieces, count);
    for (int first = 0; first < count; first += GATHER_MAX) {
        int some = count - first < GATHER_MAX ? count - first : GATHER_MAX;
        read += gather_run(memory, pieces + first, some);
    }
    return read;
}

bool memory_read(Memory *memory, uintptr_t addr, void *to, size_t len) {
    if (memory->way == MEMORY_TEST) return memory->test(memory->test_context, addr, to, len);
    uint8_t *into = to;
    while (len) {
        size_t some = len < MEMORY_SCRATCH ? len : MEMORY_SCRATCH;
        struct iovec from = {(void *)addr, some};
        if (copy_some(memory, &from, 1, 0) != (long)some) return false;
        memcpy(into, memory->bytes, some);
        into += some;
        addr += some;
        len -= some;
    }
    return true;
}
