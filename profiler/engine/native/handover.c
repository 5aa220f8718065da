#include <Python.h>
#include <opcode.h>

#include "handover.h"

/* The beginning of a function and the end of a loop, with what specialising and monitoring make of
 * them. Calls look, too, but they may block as well; so may a jump that asks an object for its truth
 * (3.11), but not one that compares with None. */
static const uint8_t OPCODES[] = {
    RESUME,
    JUMP_BACKWARD,
#ifdef RESUME_QUICK
    RESUME_QUICK,
#endif
#ifdef RESUME_CHECK
    RESUME_CHECK,
#endif
#ifdef INSTRUMENTED_RESUME
    INSTRUMENTED_RESUME,
#endif
#ifdef JUMP_BACKWARD_QUICK
    JUMP_BACKWARD_QUICK,
#endif
#ifdef JUMP_BACKWARD_JIT
    JUMP_BACKWARD_JIT,
#endif
#ifdef JUMP_BACKWARD_NO_JIT
    JUMP_BACKWARD_NO_JIT,
#endif
#ifdef INSTRUMENTED_JUMP_BACKWARD
    INSTRUMENTED_JUMP_BACKWARD,
#endif
#ifdef POP_JUMP_BACKWARD_IF_NONE
    POP_JUMP_BACKWARD_IF_NONE,
    POP_JUMP_BACKWARD_IF_NOT_NONE,
#endif
};

void handover_find(uint8_t *bits) {
    for (unsigned i = 0; i < sizeof OPCODES; i++) bits[OPCODES[i] >> 3] |= (uint8_t)(1 << (OPCODES[i] & 7));
}
