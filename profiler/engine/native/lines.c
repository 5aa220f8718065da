#include "lines.h"

enum { NO_COLUMNS = 13, LONG_FORM = 14, NO_LOCATION = 15 };

static uint32_t read_varint(const uint8_t *table, size_t length, size_t *at) {
    uint32_t value = 0;
    for (uint32_t shift = 0; *at < length && shift < 32; shift += 6) {
        uint8_t byte = table[(*at)++];
        value |= (uint32_t)(byte & 63) << shift;
        if (!(byte & 64)) break;
    }
    return value;
}

static int32_t line_delta(uint32_t form, const uint8_t *table, size_t length, size_t at) {
    if (form == NO_COLUMNS || form == LONG_FORM) {
        uint32_t zigzag = read_varint(table, length, &at);
        return zigzag & 1 ? -(int32_t)(zigzag >> 1) : (int32_t)(zigzag >> 1);
    }
    return form == 11 ? 1 : form == 12 ? 2 : 0; /* one-line forms; all others stay on the line */
}

int32_t line_of(const uint8_t *table, size_t length, int32_t first_line, int32_t unit) {
    if (unit < 0) return first_line;
    int64_t line = first_line;
    int32_t end = 0;
    for (size_t at = 0; at < length;) {
        uint32_t head = table[at++];
        uint32_t form = head >> 3 & 15;
        end += (int32_t)(head & 7) + 1;
        line += line_delta(form, table, length, at);
        if (unit < end) {
            if (form == NO_LOCATION || line < 0 || line > INT32_MAX) return 0;
            return (int32_t)line;
        }
        while (at < length && !(table[at] & 0x80)) at++; /* only first bytes have the top bit */
    }
    return 0;
}
