/* The line an instruction belongs to, from a code object's location table (PEP 626). */
#ifndef FLAMESPAN_LINES_H
#define FLAMESPAN_LINES_H

#include <stddef.h>
#include <stdint.h>

/* What frame.f_lineno says at instruction `unit` (two-byte units from the start of the code):
 * 0 where the instruction belongs to no line, `first_line` before the first instruction. The
 * table's coding is described in CPython's InternalDocs/code_objects.md. */
int32_t line_of(const uint8_t *table, size_t length, int32_t first_line, int32_t unit);

#endif
