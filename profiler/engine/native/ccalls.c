#include "ccalls.h"

#include <stdlib.h>
#include <string.h>

void ccalls_free(CCalls *calls) {
    table_free(&calls->places);
    free(calls->rows);
    memset(calls, 0, sizeof *calls);
}

static CCall *new_row(CCalls *calls) {
    if (calls->count == calls->room) {
        uint32_t room = calls->room ? calls->room * 2 : 256;
        CCall *rows = room > CCALLS_MAX ? NULL : realloc(calls->rows, room * sizeof *rows);
        if (!rows) return NULL;
        calls->rows = rows;
        calls->room = room;
    }
    return &calls->rows[calls->count++];
}

void ccalls_note(CCalls *calls, uintptr_t code, int32_t unit, uint64_t print, const char *name,
                 uint32_t length) {
    if (!calls->places.rows && !table_init(&calls->places, 1 << 8)) return;
    uint32_t number = table_find(&calls->places, code, (uint32_t)unit);
    CCall *row = number ? &calls->rows[number - 1] : new_row(calls);
    if (!row) return;
    row->print = print;
    row->length = length < CCALL_NAME_MAX ? length : CCALL_NAME_MAX;
    memcpy(row->name, name, row->length);
    if (!number) table_put(&calls->places, code, (uint32_t)unit, calls->count);
}

const CCall *ccalls_find(const CCalls *calls, uintptr_t code, int32_t unit, uint64_t print) {
    if (!calls->count) return NULL;
    uint32_t number = table_find(&calls->places, code, (uint32_t)unit);
    if (!number || calls->rows[number - 1].print != print) return NULL;
    return &calls->rows[number - 1];
}
