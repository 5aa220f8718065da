/* Strings of the interpreter, read from copies and turned into UTF-8. */
#ifndef FLAMESPAN_TEXT_H
#define FLAMESPAN_TEXT_H

#include "layout.h"
#include "memory.h"

enum { TEXT_MAX = 4096 /* characters kept of one string; the rest becomes an ellipsis */ };

typedef struct {
    uint32_t len;
    char bytes[4 * TEXT_MAX + 8]; /* UTF-8; lone surrogates as three bytes, as Python keeps them */
} Text;

/* Read the str object at `addr`. False: it is not one, or it went away. */
bool text_read(Memory *memory, const Layout *layout, uintptr_t addr, Text *text);

#endif
