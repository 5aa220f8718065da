#include "state.h"

#if defined(__linux__)

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_futex(long number) {
#ifdef SYS_futex_time64
    if (number == SYS_futex_time64) return true;
#endif
    return number == SYS_futex || number == 449 /* futex_waitv */ || number == 455 /* futex_wait */;
}

/* A process that gave up its user's rights (setuid) may not read `syscall` of itself any more;
 * `stat` anybody may. */
static int open_file(uint64_t tid) {
    static const char *const names[] = {"syscall", "stat"};
    char path[64];
    int file = -1;
    for (int i = 0; i < 2 && file < 0; i++) {
        snprintf(path, sizeof path, "/proc/self/task/%llu/%s", (unsigned long long)tid, names[i]);
        file = open(path, O_RDONLY | O_CLOEXEC);
    }
    return file;
}

/* From `stat`: number (name) letter. Which system call it sleeps in is not told there. */
static State from_letter(const char *line) {
    const char *end = strrchr(line, ')');
    if (!end || end[1] != ' ') return STATE_UNKNOWN;
    return end[2] == 'R' ? STATE_RUNNING : STATE_IDLE;
}

void state_close(int *file) {
    if (*file >= 0) close(*file);
    *file = -1;
}

State state_from_kernel(uint64_t tid, int *file, uintptr_t gil, uint32_t gil_size) {
    char line[160];
    int opened = -1;
    if (!file) file = &opened;
    if (*file < 0) *file = open_file(tid);
    if (*file < 0) return STATE_UNKNOWN;
    ssize_t got = pread(*file, line, sizeof line - 1, 0);
    if (file == &opened || got <= 0) state_close(file);
    if (got <= 0) return STATE_UNKNOWN;
    line[got] = 0;
    if (strncmp(line, "running", 7) == 0) return STATE_RUNNING;
    if (strchr(line, '(')) return from_letter(line);
    char *rest;
    long number = strtol(line, &rest, 10);
    if (rest == line) return STATE_UNKNOWN;
    if (!is_futex(number)) return STATE_IDLE;
    uintptr_t word = (uintptr_t)strtoull(rest, NULL, 16);
    return word >= gil && word - gil < gil_size ? STATE_GIL_WAIT : STATE_IDLE;
}

#else

State state_from_kernel(uint64_t tid, int *file, uintptr_t gil, uint32_t gil_size) {
    (void)tid, (void)file, (void)gil, (void)gil_size;
    return STATE_UNKNOWN;
}

void state_close(int *file) { *file = -1; }

#endif
