/* The interpreters of the process, as of a pass. */
#ifndef FLAMESPAN_INTERP_H
#define FLAMESPAN_INTERP_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "memory.h"

enum { INTERPS_MAX = 256, INTERP_PIECES = 6 };

typedef struct {
    uintptr_t addr;
    int64_t id;
    bool collecting;
    uintptr_t head; /* its first thread state */
    uintptr_t gil, gil_holder; /* its GIL, and the thread state that had it last */
    uint64_t gil_switches;     /* how often that changed */
    int first_piece;           /* of the copy of all; 0: it was not known when that was taken */
} Interp;

/* List what to copy of an interpreter: INTERP_PIECES pieces. */
void interp_list(const Layout *layout, const Interp *interp, Piece *pieces);

/* Fill it in from the copy of all, or, of a new one, by reads of its own. */
bool interp_read(const Layout *layout, Memory *memory, Interp *interp, const Piece *all,
                 uintptr_t *next);

#endif
