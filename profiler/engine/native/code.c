#include "code.h"

#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "word.h"

enum {
    ROOM = 1 << 15, /* code objects remembered; when three quarters are taken all are forgotten */
    PLACES_MAX = 1 << 17,
    LINE_TABLE_MAX = 1 << 20,
    SLICE_MAX = 512,
    CHECK_MAX = 480
};
#define HANDS_OVER (1u << 31) /* beside a frame's number: what specialising makes of it does so, too */

bool codes_init(Codes *codes, const Layout *layout, Memory *memory, Names *names) {
    memset(codes, 0, sizeof *codes);
    codes->layout = layout;
    codes->memory = memory;
    codes->names = names;
    codes->rows = calloc(ROOM, sizeof *codes->rows);
    codes->line_table = malloc(LINE_TABLE_MAX);
    if (codes->rows && codes->line_table && table_init(&codes->places, 1 << 12)) return true;
    codes_free(codes);
    return false;
}

void codes_clear(Codes *codes) {
    for (uint32_t i = 0; i < ROOM; i++) free(codes->rows[i].names);
    memset(codes->rows, 0, ROOM * sizeof *codes->rows);
    codes->used = 0;
    table_clear(&codes->places);
}

void codes_free(Codes *codes) {
    for (uint32_t i = 0; codes->rows && i < ROOM; i++) free(codes->rows[i].names);
    free(codes->rows);
    free(codes->line_table);
    table_free(&codes->places);
    codes->rows = NULL;
    codes->line_table = NULL;
}

void codes_begin(Codes *codes) {
    /* Only between walks: rows that a walk points to must stay where they are. */
    if (codes->used > ROOM / 4 * 3) codes_clear(codes);
    if (codes->places.used > PLACES_MAX) table_clear(&codes->places);
    codes->walk++;
}

static Code *row_of(Codes *codes, uintptr_t addr) {
    uint32_t slot = (uint32_t)mix(addr) & (ROOM - 1);
    while (codes->rows[slot].addr && codes->rows[slot].addr != addr) slot = (slot + 1) & (ROOM - 1);
    return &codes->rows[slot];
}

Code *codes_known(Codes *codes, uintptr_t addr) {
    Code *code = row_of(codes, addr);
    return code->addr && code->serial ? code : NULL;
}

/* A number that changes when another code object lies at the same address. */
static uint64_t print_of(const Layout *l, const uint8_t *head) {
    uint64_t hash = word_at(head, l->code_units);
    hash = mix_in(hash, word_at(head, l->code_consts));
    hash = mix_in(hash, word_at(head, l->code_names));
    hash = mix_in(hash, (uint64_t)u32_at(head, l->code_firstline) << 32 | u32_at(head, l->code_flags));
    if (l->code_version) return mix_in(hash, u32_at(head, l->code_version));
    hash = mix_in(hash, word_at(head, l->code_filename));
    hash = mix_in(hash, word_at(head, l->code_qualname));
    return mix_in(hash, word_at(head, l->code_linetable));
}

uint64_t codes_print(const Layout *l, const void *code) { return print_of(l, code); }

static bool plausible(const Layout *l, const uint8_t *head) {
    int64_t units = i64_at(head, l->code_units);
    return word_at(head, l->ob_type) == l->code_type && units > 0 && units < 1 << 28;
}

static uint32_t frame_bytes_of(const Layout *l, const uint8_t *head) {
    uint32_t words = l->code_framesize ? u32_at(head, l->code_framesize)
                                       : u32_at(head, l->code_nlocalsplus) +
                                             u32_at(head, l->code_stacksize) + l->frame_words;
    return words * (uint32_t)sizeof(void *);
}

static bool is_line_of(const char *lines, const Text *text) {
    for (const char *at = lines; at && *at;) {
        const char *end = strchr(at, '\n');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (len == text->len && memcmp(at, text->bytes, len) == 0) return true;
        at = end ? end + 1 : NULL;
    }
    return false;
}

/* Keep the names until the code is part of a stack that is told: what is left out of stacks
 * (frames of `flamespan run`) is not named in the file. */
static bool keep_names(Codes *codes, Code *code) {
    const Text *name = &codes->name, *file = &codes->file;
    code->function = 0;
    free(code->names);
    code->names = malloc((size_t)name->len + file->len + 1);
    if (!code->names) return false;
    memcpy(code->names, name->bytes, name->len);
    memcpy(code->names + name->len, file->bytes, file->len);
    code->name_len = name->len;
    code->file_len = file->len;
    return true;
}

static bool name_function(Codes *codes, Code *code) {
    if (code->function) return true;
    if (!code->names) return false;
    code->function = names_function(codes->names, code->names, code->name_len,
                                    code->names + code->name_len, code->file_len, code->first_line);
    free(code->names);
    code->names = NULL;
    return code->function != 0;
}

/* Read names for the head that was copied, and make sure that the object is still the same. */
static bool learn(Codes *codes, Code *code, const uint8_t *head) {
    const Layout *l = codes->layout;
    uint8_t again[SLICE_MAX];
    code->serial = 0;
    if (!plausible(l, head)) return false;
    code->print = print_of(l, head);
    code->qualname = word_at(head, l->code_qualname);
    if (!text_read(codes->memory, l, code->qualname, &codes->name) ||
        !text_read(codes->memory, l, word_at(head, l->code_filename), &codes->file) ||
        !memory_read(codes->memory, code->qualname + l->text_hash, &code->name_hash, 8) ||
        !memory_read(codes->memory, code->addr, again, l->code_slice) ||
        !plausible(l, again) || print_of(l, again) != code->print)
        return false;
    code->first_line = i32_at(head, l->code_firstline);
    code->units = (uint32_t)i64_at(head, l->code_units);
    code->frame_bytes = frame_bytes_of(l, head);
    code->traceable = i32_at(head, l->code_traceable);
    code->launch = LAUNCH_NONE;
    if (is_line_of(codes->machinery, &codes->file)) code->launch = LAUNCH_MACHINERY;
    if (is_line_of(codes->ours, &codes->file)) code->launch = LAUNCH_OURS;
    code->gives_way = codes->name.len == 8 && memcmp(codes->name.bytes, "__sleep0", 8) == 0;
    code->serial = keep_names(codes, code) ? ++codes->serial : 0;
    return code->serial != 0;
}

static bool is_same(const Codes *codes, const Code *code, const uint8_t *head,
                    const uint8_t *name_hash) {
    const Layout *l = codes->layout;
    bool same = code->serial && plausible(l, head) && print_of(l, head) == code->print;
    /* A version tells code objects apart for certain. Without one another name may lie where
     * the old one lay: compare what it hashes to. */
    if (same && !l->code_version) same = name_hash && i64_at(name_hash, 0) == code->name_hash;
    return same;
}

static bool check_one(Codes *codes, Code *code, const uint8_t *head, const uint8_t *name_hash) {
    const Layout *l = codes->layout;
    code->checked = codes->walk;
    if (is_same(codes, code, head, name_hash)) return true;
    uint8_t whole[SLICE_MAX];
    code->serial = 0;
    if (memory_read(codes->memory, code->addr, whole, l->code_slice)) learn(codes, code, whole);
    return false;
}

/* What must be copied to see whether the code is the one that was known: two pieces. */
static void list_check(const Layout *l, const Code *code, Piece *pieces) {
    pieces[0] = (Piece){.addr = code->addr, .len = l->code_check};
    bool need = !l->code_version && code->serial;
    pieces[1] = (Piece){.addr = code->qualname + l->text_hash, .len = need ? 8 : 0};
}

bool codes_list(Codes *codes, uintptr_t addr, Piece *pieces) {
    const Code *code = codes_known(codes, addr);
    if (code) list_check(codes->layout, code, pieces);
    return code != NULL;
}

void codes_take(Codes *codes, const Piece *pieces) {
    const Layout *l = codes->layout;
    Code *code = codes_known(codes, pieces[0].addr);
    if (!code || !pieces[0].ok || pieces[1].addr != code->qualname + l->text_hash) return;
    const uint8_t *hash = pieces[1].len && pieces[1].ok ? piece_bytes(codes->memory, &pieces[1]) : NULL;
    if (is_same(codes, code, piece_bytes(codes->memory, &pieces[0]), hash))
        code->checked = codes->walk;
}

static int check_some(Codes *codes, Code **rows, int count) {
    Piece pieces[2 * CHECK_MAX];
    int changed = 0;
    for (int i = 0; i < count; i++) list_check(codes->layout, rows[i], &pieces[2 * i]);
    memory_gather(codes->memory, pieces, 2 * count);
    for (int i = 0; i < count; i++) {
        const Piece *head = &pieces[2 * i], *name = &pieces[2 * i + 1];
        rows[i]->checked = codes->walk;
        if (!head->ok) {
            rows[i]->serial = 0;
            changed++;
            continue;
        }
        /* Learning reads through another part of the buffer: these copies stay. */
        const uint8_t *hash = name->len && name->ok ? piece_bytes(codes->memory, name) : NULL;
        changed += !check_one(codes, rows[i], piece_bytes(codes->memory, head), hash);
    }
    return changed;
}

int codes_check(Codes *codes, const uintptr_t *addrs, int count) {
    Code *rows[CHECK_MAX];
    int some = 0, changed = 0;
    for (int i = 0; i < count; i++) {
        Code *code = row_of(codes, addrs[i]);
        if (!code->addr) {
            /* A full table could not be searched: what does not fit is unknown in this walk. */
            if (!addrs[i] || codes->used >= ROOM / 8 * 7) {
                changed++;
                continue;
            }
            memset(code, 0, sizeof *code);
            code->addr = addrs[i];
            codes->used++;
        } else if (code->checked == codes->walk) {
            continue;
        }
        code->checked = codes->walk;
        rows[some++] = code;
        if (some == CHECK_MAX) {
            changed += check_some(codes, rows, some);
            some = 0;
        }
    }
    return some ? changed + check_some(codes, rows, some) : changed;
}

/* The line of an instruction, read now from the code object, which is on the stack of a thread
 * and very likely still there; if it is not, its first line. */
static int32_t line_in(Codes *codes, const Code *code, int32_t unit) {
    const Layout *l = codes->layout;
    uint8_t head[SLICE_MAX], size[64];
    if (unit < 0 || !memory_read(codes->memory, code->addr, head, l->code_slice) ||
        print_of(l, head) != code->print)
        return code->first_line;
    uintptr_t table = word_at(head, l->code_linetable);
    if (!memory_read(codes->memory, table, size, l->bytes_data)) return code->first_line;
    int64_t length = i64_at(size, l->bytes_size);
    if (length < 0 || length > LINE_TABLE_MAX ||
        !memory_read(codes->memory, table + l->bytes_data, codes->line_table, (size_t)length))
        return code->first_line;
    return line_of(codes->line_table, (size_t)length, code->first_line, unit);
}

bool codes_unit(const Codes *codes, const Code *code, uintptr_t instr, int32_t *unit) {
    const Layout *l = codes->layout;
    int64_t offset = (int64_t)(instr - (code->addr + l->code_bytes)), found = offset / 2;
    if (offset & 1) return false;
    if (found < (l->instr_is_before ? -1 : 0) || found >= (int64_t)code->units) return false;
    *unit = (int32_t)found;
    return true;
}

static uint64_t place_key(const Code *code, int32_t unit) {
    return (uint64_t)code->serial << 32 | (uint32_t)unit;
}

static bool hands_over(Codes *codes, const Code *code, int32_t unit) {
    uint8_t opcode;
    uintptr_t instr = code->addr + codes->layout->code_bytes + 2 * (uintptr_t)unit;
    if (unit < 0 || !memory_read(codes->memory, instr, &opcode, sizeof opcode)) return false;
    return codes->layout->handovers[opcode >> 3] >> (opcode & 7) & 1;
}

uint32_t codes_place(Codes *codes, Code *code, int32_t unit) {
    uint64_t key = place_key(code, unit);
    uint32_t place = table_find(&codes->places, key, 2);
    if (place) return place & ~HANDS_OVER;
    if (!name_function(codes, code)) return 0;
    uint32_t frame = names_frame(codes->names, code->function, line_in(codes, code, unit));
    if (frame) {
        place = frame | (hands_over(codes, code, unit) ? HANDS_OVER : 0);
        table_put(&codes->places, key, 2, place);
    }
    return frame;
}

bool codes_hands_over(Codes *codes, const Code *code, int32_t unit) {
    uint32_t place = table_find(&codes->places, place_key(code, unit), 2);
    return place ? place & HANDS_OVER : hands_over(codes, code, unit);
}
