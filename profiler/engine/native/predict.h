/* What to copy of a thread's stack, foretold from the look before; and where in the copy a frame is.
 *
 * Used by walk.c only. What a walk does not find in its copy is foretold for the next. */
#ifndef FLAMESPAN_PREDICT_H
#define FLAMESPAN_PREDICT_H

#include "walk.h"

/* The copy of a frame, in which piece it lies, and whether it was copied after the frame pointer. */
typedef struct {
    const uint8_t *at; /* NULL: it was not predicted */
    int piece;
    bool late;
} Copy;

typedef struct {
    int piece, outside;
} Cursor;

/* List all that a look copies, in the order in which it must be. */
void predict_pieces(Walker *walker, uintptr_t tstate, const Prediction *prediction);
/* List one more stretch; returns its number. */
int predict_piece(Walker *walker, uintptr_t addr, uint32_t len);

/* The bytes at `addr` in the copy of that piece; NULL: they are not in it. */
const uint8_t *predict_within(const Walker *walker, int piece, uintptr_t addr, uint32_t len);
/* The copy of a frame. It is looked for from where the one before, above it, was found. */
Copy predict_find(const Walker *walker, Prediction *prediction, uintptr_t addr, Cursor *cursor);
Cursor predict_cursor(const Walker *walker); /* at the leaf */
/* 3.11 and 3.12: the running frame hangs on a structure of the C stack, another one for every
 * entry from C. False: it was not one of the latest, and so was not copied. */
bool predict_cframe(const Walker *walker, Prediction *prediction, uintptr_t cframe,
                    uintptr_t *frame);
bool predict_in_chunks(const Prediction *prediction, uintptr_t addr);

/* A frame lies outside the data stack. False: there are too many. */
bool predict_outside(Walker *walker, Prediction *prediction, uintptr_t addr);
/* Let go of those outside that no walk has met for long. */
void predict_forget(Prediction *prediction, uint32_t now);
/* Be ready for `newest` to be the chunk in use. False: what was just copied cannot be used. */
bool predict_chunks(Walker *walker, Prediction *prediction, uintptr_t newest);
/* Copy as much of the newest chunk as `top` says is in use, and a little more; a lot more for a
 * stack that went up and down between attempts. */
void predict_top(const Walker *walker, Prediction *prediction, uintptr_t top);
/* What the next look is foretold from, and compared with: a stack that was seen whole. */
void predict_remember(Prediction *prediction, const Walk *walk);

#endif
