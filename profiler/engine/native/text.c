#include "text.h"

#include "word.h"

static uint32_t encode(uint32_t c, char *to) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static uint32_t unit_at(const uint8_t *data, uint32_t kind, size_t index) {
    if (kind == 1) return data[index];
    if (kind == 2) return (uint32_t)data[2 * index] | (uint32_t)data[2 * index + 1] << 8;
    return u32_at(data, (uint32_t)(4 * index));
}

bool text_read(Memory *memory, const Layout *l, uintptr_t addr, Text *text) {
    uint8_t head[64];
    text->len = 0;
    if (!memory_read(memory, addr, head, l->text_ascii_data)) return false;
    int64_t length = i64_at(head, l->text_length);
    uint32_t state = u32_at(head, l->text_state);
    uint32_t kind = (state & l->text_kind.mask) >> l->text_kind.shift;
    if (length < 0 || length > 1 << 28) return false;
    if (!(state & l->text_compact.mask) || (kind != 1 && kind != 2 && kind != 4)) return false;
    bool ascii = (state & l->text_ascii.mask) != 0;
    size_t count = length > TEXT_MAX ? TEXT_MAX : (size_t)length;
    uint8_t data[4 * TEXT_MAX];
    uintptr_t from = addr + (ascii ? l->text_ascii_data : l->text_other_data);
    if (count && !memory_read(memory, from, data, count * kind)) return false;
    for (size_t i = 0; i < count; i++) {
        uint32_t c = unit_at(data, kind, i);
        if (c > 0x10ffff || (ascii && c > 0x7f)) return false;
        text->len += encode(c, text->bytes + text->len);
    }
    if ((size_t)length > count) text->len += encode(0x2026, text->bytes + text->len);
    return true;
}
