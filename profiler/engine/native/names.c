#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "word.h"

enum { FIRST_ROOM = 1 << 12 };

bool table_init(Table *table, uint32_t room) {
    table->room = room;
    table->used = 0;
    table->rows = calloc(room, sizeof *table->rows);
    return table->rows != NULL;
}

void table_free(Table *table) {
    free(table->rows);
    memset(table, 0, sizeof *table);
}

void table_clear(Table *table) {
    memset(table->rows, 0, sizeof *table->rows * table->room);
    table->used = 0;
}

static bool is_free(const TableRow *row) { return !row->a && !row->b; }

static TableRow *row_of(const Table *table, uint64_t a, uint64_t b) {
    uint32_t slot = (uint32_t)mix_in(mix(a), b) & (table->room - 1);
    TableRow *row = &table->rows[slot];
    while (!is_free(row) && !(row->a == a && row->b == b)) {
        slot = (slot + 1) & (table->room - 1);
        row = &table->rows[slot];
    }
    return row;
}

uint32_t table_find(const Table *table, uint64_t a, uint64_t b) {
    const TableRow *row = row_of(table, a, b);
    return is_free(row) ? 0 : (uint32_t)row->value;
}

static bool grow(Table *table) {
    Table larger;
    if (!table_init(&larger, table->room * 2)) return false;
    for (uint32_t i = 0; i < table->room; i++)
        if (!is_free(&table->rows[i]))
            *row_of(&larger, table->rows[i].a, table->rows[i].b) = table->rows[i];
    larger.used = table->used;
    table_free(table);
    *table = larger;
    return true;
}

bool table_put(Table *table, uint64_t a, uint64_t b, uint32_t value) {
    if (table->used >= table->room / 4 * 3 && !grow(table)) return false;
    TableRow *row = row_of(table, a, b);
    table->used += is_free(row);
    *row = (TableRow){a, b, value};
    return true;
}

uint32_t table_count(Table *table, uint64_t a, uint64_t b, uint32_t most) {
    TableRow *row = row_of(table, a, b);
    if (is_free(row)) {
        table_put(table, a, b, 1);
        return 1;
    }
    row->value += row->value < most;
    return (uint32_t)row->value;
}

static bool append(Bytes *bytes, const void *more, size_t len) {
    if (bytes->used + len > bytes->room) {
        size_t room = bytes->room ? bytes->room * 2 : 1024;
        while (room < bytes->used + len) room *= 2;
        char *larger = realloc(bytes->bytes, room);
        if (!larger) return false;
        bytes->bytes = larger;
        bytes->room = room;
    }
    if (len) memcpy(bytes->bytes + bytes->used, more, len);
    bytes->used += len;
    return true;
}

static void begin_told(Names *names) {
    memset(&names->told, 0, sizeof names->told);
    names->told.first_function = names->functions.used + 1;
    names->told.first_frame = names->frames.used + 1;
    names->told.first_stack = names->stacks.used + 1;
}

bool names_init(Names *names) {
    memset(names, 0, sizeof *names);
    if (!table_init(&names->functions, FIRST_ROOM) || !table_init(&names->frames, FIRST_ROOM) ||
        !table_init(&names->stacks, FIRST_ROOM)) {
        names_free(names);
        return false;
    }
    begin_told(names);
    return true;
}

void told_free(Told *told) {
    free(told->functions.bytes);
    free(told->frame_function.bytes);
    free(told->frame_line.bytes);
    free(told->stack_parent.bytes);
    free(told->stack_frame.bytes);
    memset(told, 0, sizeof *told);
}

void names_free(Names *names) {
    table_free(&names->functions);
    table_free(&names->frames);
    table_free(&names->stacks);
    told_free(&names->told);
}

void names_clear(Names *names) {
    Table *tables[] = {&names->functions, &names->frames, &names->stacks};
    for (int i = 0; i < 3; i++) {
        Table small;
        /* Give the memory back: the tables may have grown large, which is why they are cleared. */
        if (tables[i]->room > FIRST_ROOM && table_init(&small, FIRST_ROOM)) {
            table_free(tables[i]);
            *tables[i] = small;
        } else {
            table_clear(tables[i]);
        }
    }
    told_free(&names->told);
    begin_told(names);
}

Told names_take(Names *names) {
    Told told = names->told;
    begin_told(names);
    return told;
}

static uint64_t hash_bytes(uint64_t hash, const char *bytes, uint32_t len) {
    uint32_t at = 0;
    for (; at + 8 <= len; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        hash = mix_in(hash, word);
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes + at, len - at);
    return mix_in(mix_in(hash, rest), len);
}

static bool tell_function(Told *told, const char *name, uint32_t name_len, const char *file,
                          uint32_t file_len, int32_t first_line) {
    Bytes *to = &told->functions;
    size_t before = to->used;
    if (append(to, &name_len, 4) && append(to, name, name_len) && append(to, &file_len, 4) &&
        append(to, file, file_len) && append(to, &first_line, 4)) {
        told->function_count++;
        return true;
    }
    to->used = before;
    return false;
}

uint32_t names_function(Names *names, const char *name, uint32_t name_len, const char *file,
                        uint32_t file_len, int32_t first_line) {
    /* Two independent 64-bit hashes stand for the names: they coincide by accident never. */
    uint64_t a = hash_bytes(hash_bytes((uint32_t)first_line + 1u, name, name_len), file, file_len);
    uint64_t b = hash_bytes(hash_bytes((uint64_t)first_line << 32 | 7, file, file_len), name, name_len);
    uint32_t number = table_find(&names->functions, a, b);
    if (number) return number;
    number = names->functions.used + 1;
    if (!tell_function(&names->told, name, name_len, file, file_len, first_line)) return 0;
    return table_put(&names->functions, a, b, number) ? number : 0;
}

/* A pair of numbers that is new: tell it in two columns. */
static uint32_t number_pair(Table *table, Bytes *first, Bytes *second, uint32_t a, uint32_t b) {
    uint64_t key = (uint64_t)a << 32 | b;
    uint32_t number = table_find(table, key, 1);
    if (number) return number;
    number = table->used + 1;
    if (!append(first, &a, 4)) return 0;
    if (!append(second, &b, 4) || !table_put(table, key, 1, number)) {
        first->used -= 4;
        if (second->used > first->used) second->used -= 4;
        return 0;
    }
    return number;
}

uint32_t names_frame(Names *names, uint32_t function, int32_t line) {
    return number_pair(&names->frames, &names->told.frame_function, &names->told.frame_line,
                       function, line < 0 ? 0 : (uint32_t)line);
}

uint32_t names_stack(Names *names, uint32_t parent, uint32_t frame) {
    return number_pair(&names->stacks, &names->told.stack_parent, &names->told.stack_frame, parent,
                       frame);
}
