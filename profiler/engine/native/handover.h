/* Instructions that look whether another thread wants the GIL, and otherwise cannot block. */
#ifndef FLAMESPAN_HANDOVER_H
#define FLAMESPAN_HANDOVER_H

#include <stdint.h>

enum { HANDOVER_BYTES = 32 }; /* a bit for each opcode, the lowest first */

/* Set the bits of the interpreter that this is built for; opcodes do not change within a minor
 * version. */
void handover_find(uint8_t *bits);

#endif
