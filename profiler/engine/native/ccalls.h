/* Names of the C functions that calls lead to, as sys.monitoring tells them (3.12 on, asked for). */
#ifndef FLAMESPAN_CCALLS_H
#define FLAMESPAN_CCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "names.h"

enum { CCALLS_MAX = 1 << 15, CCALL_NAME_MAX = 200 };

typedef struct {
    uint64_t print; /* of the code object that makes the call: addresses are used again */
    uint32_t length;
    char name[CCALL_NAME_MAX];
} CCall;

typedef struct {
    Table places; /* (code object, instruction) -> number of its row, from 1 */
    CCall *rows;
    uint32_t count, room;
} CCalls;

void ccalls_free(CCalls *calls);

/* Remember what is called at a place. Beyond CCALLS_MAX places nothing more is. */
void ccalls_note(CCalls *calls, uintptr_t code, int32_t unit, uint64_t print, const char *name,
                 uint32_t length);

/* What is called there; NULL: not known. */
const CCall *ccalls_find(const CCalls *calls, uintptr_t code, int32_t unit, uint64_t print);

#endif
