/* Functions, frames and stacks of one file: each gets a number at first sight, and is told once.
 *
 * Numbers count up from 1. What is told and not yet taken lies in `Told`; the tables behind the
 * numbers keep hashes only, never names. */
#ifndef FLAMESPAN_NAMES_H
#define FLAMESPAN_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row is in one line of the cache: rows are met in no order, and each line costs as much as all
 * else that is done with it. */
typedef struct {
    uint64_t a, b; /* both 0: free */
    uint64_t value;
} TableRow;

typedef struct {
    TableRow *rows;
    uint32_t room; /* a power of two */
    uint32_t used;
} Table;

typedef struct {
    char *bytes;
    size_t used, room;
} Bytes;

/* Definitions that no drain has taken yet. `functions` holds for each: length and UTF-8 of name
 * and file, first line, all lengths and numbers as 32-bit words. */
typedef struct {
    uint32_t first_function, first_frame, first_stack;
    uint32_t function_count;
    Bytes functions, frame_function, frame_line, stack_parent, stack_frame;
} Told;

typedef struct {
    Table functions, frames, stacks;
    Told told;
} Names;

bool names_init(Names *names);
void names_clear(Names *names); /* all numbers begin anew */
void names_free(Names *names);
void told_free(Told *told);

/* Take what was told since the last time. */
Told names_take(Names *names);

/* Each returns a number, or 0 where memory ran out. */
uint32_t names_function(Names *names, const char *name, uint32_t name_len, const char *file,
                        uint32_t file_len, int32_t first_line);
uint32_t names_frame(Names *names, uint32_t function, int32_t line);
uint32_t names_stack(Names *names, uint32_t parent, uint32_t frame);

/* A table from two words to a number, also used for what the engine remembers of instructions. */
bool table_init(Table *table, uint32_t room);
void table_clear(Table *table);
void table_free(Table *table);
uint32_t table_find(const Table *table, uint64_t a, uint64_t b);
bool table_put(Table *table, uint64_t a, uint64_t b, uint32_t value);
/* Count one more, up to `most`; returns the count. */
uint32_t table_count(Table *table, uint64_t a, uint64_t b, uint32_t most);

#endif
