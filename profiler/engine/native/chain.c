#include "chain.h"

#include <string.h>

#include "word.h"

enum {
    VALUES_MAX = 512, /* bytes of locals and values that are read along with a frame */
    WRAPPED_MAX = 8,  /* wrappers around one awaitable */
    OBJECT_MAX = 64,
    RESUMED_AWAIT = 2 /* RESUME's argument after `yield from` and `await`, at least (opcode.py) */
};

/* From a generator's state to the end of its frame's fixed part. */
static uint32_t end_size(const Layout *l) { return l->gen_state_back + l->frame_size; }

static bool is_suspended(const Layout *l, int8_t state) {
    return state >= l->gen_suspended_first && state <= l->gen_suspended_last;
}

/* Whether the frame stopped at an await or `yield from`, and not at a `yield` of its own. */
static bool awaits(const Chain *c, int8_t state, uintptr_t instr) {
    const Layout *l = c->layout;
    if (l->gen_knows_await)
        return state >= l->gen_awaits_first && state <= l->gen_suspended_last;
    uint8_t next[2]; /* the instruction after the one that yielded */
    return memory_read(c->memory, instr + 2, next, 2) && next[1] >= RESUMED_AWAIT;
}

static uintptr_t value_at(const Chain *c, uintptr_t at, uintptr_t addr, const uint8_t *frame,
                          uint32_t values) {
    uintptr_t locals = addr + c->layout->frame_size, value = 0;
    if (at < locals || at % sizeof(void *)) return 0;
    if (at - locals + sizeof value <= values) value = word_at(frame, (uint32_t)(at - addr));
    else if (!memory_read(c->memory, at, &value, sizeof value)) return 0;
    return value & ~(uintptr_t)7; /* 3.14 on: the low bits tell how it is counted */
}

/* What is awaited lies on top of the frame's value stack, or (3.15) under an empty place; `frame`
 * is a copy with `values` bytes of locals and values. */
static uintptr_t top_value(const Chain *c, uintptr_t addr, const uint8_t *frame, uint32_t values) {
    const Layout *l = c->layout;
    uintptr_t end = l->stack_is_pointer
                        ? word_at(frame, l->frame_stack)
                        : addr + l->frame_size + (uintptr_t)i32_at(frame, l->frame_stack) * 8;
    uintptr_t top = value_at(c, end - 8, addr, frame, values);
    return top ? top : value_at(c, end - 16, addr, frame, values);
}

/* What is at the end of an awaitable: a generator that goes on, or (0) a future. */
static uintptr_t unwrap(Chain *c, uintptr_t object) {
    const Layout *l = c->layout;
    const AwaitTypes *t = &c->types;
    for (int i = 0; object && i < WRAPPED_MAX; i++) {
        uint8_t head[OBJECT_MAX];
        uintptr_t inner = 0;
        if (!memory_read(c->memory, object, head, sizeof head)) return 0;
        uintptr_t type = word_at(head, l->ob_type);
        if (type == l->gen_types[0] || type == l->gen_types[1] || type == l->gen_types[2])
            return object;
        for (int k = 0; k < t->wrap_count; k++)
            if (t->wraps[k].type == type && t->wraps[k].inner < sizeof head - 8)
                inner = word_at(head, t->wraps[k].inner);
        if (type == t->waiter_type && t->waiter_type) {
            uint32_t state = 0;
            c->future = word_at(head, t->waiter_future);
            if (!memory_read(c->memory, c->future + t->forks.future_state, &state, 4)) return 0;
            c->ready = state != 0;
            return 0;
        }
        object = inner;
    }
    return 0;
}

/* Read one suspended generator, and find what it awaits. */
static ChainVerdict read_link(Chain *c, uintptr_t object, uintptr_t *awaited) {
    const Layout *l = c->layout;
    uint8_t bytes[END_MAX + VALUES_MAX];
    uintptr_t frame = object + l->gen_frame, from = frame - l->gen_state_back;
    uint32_t values = VALUES_MAX;
    if (!memory_read(c->memory, from, bytes, end_size(l) + values)) {
        values = 0;
        if (!memory_read(c->memory, from, bytes, end_size(l))) return CHAIN_GONE;
    }
    const uint8_t *at = bytes + l->gen_state_back;
    int8_t state = (int8_t)bytes[0];
    *awaited = 0;
    if (at[l->frame_owner] != l->owner_generator) return CHAIN_GONE;
    if (state == l->gen_created) return CHAIN_NEW;
    if (!is_suspended(l, state)) return CHAIN_RUNS;
    ChainLink *link = &c->links[c->count++];
    link->frame = frame;
    link->code = word_at(at, l->frame_code) & ~(uintptr_t)7;
    link->instr = word_at(at, l->frame_instr);
    if (awaits(c, state, link->instr)) *awaited = top_value(c, frame, at, values);
    return CHAIN_SUSPENDED;
}

static bool is_generator(const Chain *c, uintptr_t object) {
    const Layout *l = c->layout;
    uintptr_t type = 0;
    if (!object || !memory_read(c->memory, object + l->ob_type, &type, sizeof type)) return false;
    return type == l->gen_types[0] || type == l->gen_types[1] || type == l->gen_types[2];
}

static void begin(Chain *c, bool of_frames) {
    c->count = c->end_count = 0;
    c->ready = c->truncated = c->unsettled = c->many = false;
    c->of_frames = of_frames;
    c->future = c->context = 0;
}

/* The link that was read last is the end of a part. */
static void note_end(Chain *c) {
    if (c->end_count && c->ends[c->end_count - 1] == c->count - 1) return;
    if (c->end_count == ENDS_MAX) c->unsettled = true;
    else c->ends[c->end_count++] = c->count - 1;
}

/* Where the chain goes on behind its last link, which awaits an object; 0: that is its end. */
static uintptr_t go_on(Chain *c, uintptr_t awaited, bool *crosses) {
    Join join = {.layout = c->layout, .memory = c->memory, .forks = &c->types.forks, .turn = c->turn};
    const ChainLink *last = &c->links[c->count - 1];
    c->future = 0;
    *crosses = false;
    uintptr_t object = awaited ? unwrap(c, awaited) : 0;
    if (c->ready || !awaited) return object;
    if (c->future) join_future(&join, c->future);
    if (!join.coroutine && !join.ready) join_frame(&join, last->code, last->frame);
    c->turn = join.turn;
    c->many |= join.many;
    if (join.ready) c->ready = c->unsettled = true; /* nobody has told the future so yet */
    if (!is_generator(c, join.coroutine)) return object;
    c->context = join.context;
    *crosses = true;
    return join.coroutine;
}

static bool has_link(const Chain *c, uintptr_t object) {
    for (int i = 0; i < c->count; i++)
        if (c->links[i].frame == object + c->layout->gen_frame) return true;
    return false;
}

ChainVerdict chain_read(Chain *c, uintptr_t coroutine) {
    uintptr_t object = coroutine, awaited = 0, around = 0;
    bool crosses = false;
    begin(c, false);
    if (!is_generator(c, coroutine)) return CHAIN_GONE;
    while (object) {
        if (c->count == CHAIN_MAX) {
            c->truncated = true;
            break;
        }
        if (has_link(c, object)) { /* tasks that wait for each other; or what was read is no chain */
            if (!crosses) return CHAIN_GONE;
            c->unsettled = true;
            break;
        }
        ChainVerdict verdict = read_link(c, object, &awaited);
        /* A task that is awaited may run, or not have begun: the chain ends at who awaits it. */
        if (verdict != CHAIN_SUSPENDED && crosses) {
            c->ready = verdict == CHAIN_NEW;
            c->unsettled = true;
            c->context = around;
            break;
        }
        if (verdict != CHAIN_SUSPENDED) return verdict;
        around = c->context;
        if (c->count == 1) note_end(c);
        object = go_on(c, awaited, &crosses);
        if (crosses) note_end(c);
    }
    if (c->count) note_end(c);
    return c->count ? CHAIN_SUSPENDED : CHAIN_GONE;
}

/* Read one frame behind those that are there. 0: it cannot be. */
static uintptr_t read_frame(Chain *c, uintptr_t addr, uint8_t *bytes) {
    const Layout *l = c->layout;
    if (c->count == CHAIN_MAX || addr % sizeof(void *) ||
        !memory_read(c->memory, addr, bytes, l->frame_size))
        return 0;
    if (bytes[l->frame_owner] < l->owner_shim)
        c->links[c->count++] = (ChainLink){addr, word_at(bytes, l->frame_code) & ~(uintptr_t)7,
                                           word_at(bytes, l->frame_instr)};
    return addr;
}

static void turn_around(Chain *c) {
    for (int i = 0; i < c->count / 2; i++) {
        ChainLink link = c->links[i];
        c->links[i] = c->links[c->count - 1 - i];
        c->links[c->count - 1 - i] = link;
    }
}

/* A frame that has saved its stack pointer has called another, which lies right behind it. (From
 * 3.14 on it is saved at every call, so that a frame that has ended would look the same.) */
static void climb(Chain *c, uintptr_t frame, uint8_t *bytes) {
    const Layout *l = c->layout;
    while (!l->stack_is_pointer && i32_at(bytes, l->frame_stack) >= 0) {
        uintptr_t code = word_at(bytes, l->frame_code);
        codes_check(c->codes, &code, 1);
        const Code *known = codes_known(c->codes, code);
        if (!known || bytes[l->frame_owner] == l->owner_generator) return;
        uintptr_t next = frame + known->frame_bytes;
        if (!memory_read(c->memory, next, bytes, l->frame_size) ||
            word_at(bytes, l->frame_previous) != frame || !read_frame(c, next, bytes))
            return;
        frame = next;
    }
}

ChainVerdict chain_read_frames(Chain *c, uintptr_t frame) {
    const Layout *l = c->layout;
    uint8_t first[END_MAX], bytes[END_MAX];
    begin(c, true);
    if (l->frame_size > END_MAX || !read_frame(c, frame, first)) return CHAIN_GONE;
    for (uintptr_t at = word_at(first, l->frame_previous); at;) {
        if (!read_frame(c, at, bytes)) {
            c->truncated = c->count == CHAIN_MAX;
            if (c->truncated) break;
            return CHAIN_GONE;
        }
        at = word_at(bytes, l->frame_previous);
    }
    turn_around(c);
    climb(c, frame, first);
    if (!c->count) return CHAIN_GONE;
    c->ends[c->end_count++] = 0;
    note_end(c);
    return CHAIN_SUSPENDED;
}

int chain_list(const Layout *l, const AwaitTypes *types, const ChainMark *mark, Piece *pieces) {
    int count = 0;
    for (int i = 0; i < mark->count; i++)
        pieces[count++] = (Piece){.addr = mark->frames[i] - l->gen_state_back, .len = end_size(l)};
    if (mark->future)
        pieces[count++] = (Piece){.addr = mark->future + types->forks.future_state, .len = 4};
    if (mark->context) pieces[count++] = (Piece){.addr = mark->context + l->context_vars, .len = 8};
    if (mark->open_at) pieces[count++] = (Piece){.addr = mark->open_at, .len = 8};
    return count;
}

/* A number that tells what the bytes of a piece were. */
static uint64_t print_of(const Memory *memory, const Piece *piece) {
    const uint8_t *at = piece_bytes(memory, piece);
    uint64_t print = piece->len;
    for (uint32_t i = 0; i + 8 <= piece->len; i += 8) print = mix_in(print, word_at(at, i));
    for (uint32_t i = piece->len & ~7u; i < piece->len; i++) print = mix_in(print, at[i]);
    return print;
}

bool chain_is_as_before(const Memory *memory, const ChainMark *mark, const Piece *pieces) {
    for (int i = 0; i < mark->count; i++, pieces++)
        if (!pieces->ok || print_of(memory, pieces) != mark->prints[i]) return false;
    if (mark->future) {
        if (!pieces->ok || u32_at(piece_bytes(memory, pieces), 0) != mark->future_state) return false;
        pieces++;
    }
    if (mark->context) {
        if (!pieces->ok || word_at(piece_bytes(memory, pieces), 0) != mark->variables) return false;
        pieces++;
    }
    return !mark->open_at || (pieces->ok && !word_at(piece_bytes(memory, pieces), 0));
}

bool chain_mark(Chain *c, ChainMark *mark) {
    const Layout *l = c->layout;
    Piece pieces[CHAIN_PIECES];
    if (end_size(l) > END_MAX) return false;
    *mark = (ChainMark){.count = c->end_count, .future = c->future};
    for (int i = 0; i < c->end_count; i++) mark->frames[i] = c->links[c->ends[i]].frame;
    memory_gather(c->memory, pieces, chain_list(l, &c->types, mark, pieces));
    for (int i = 0; i < mark->count; i++) {
        const uint8_t *at = piece_bytes(c->memory, &pieces[i]);
        if (!pieces[i].ok || (!c->of_frames && !is_suspended(l, (int8_t)at[0])) ||
            word_at(at, l->gen_state_back + l->frame_instr) != c->links[c->ends[i]].instr)
            return false;
        mark->prints[i] = print_of(c->memory, &pieces[i]);
    }
    if (!mark->future) return true;
    const Piece *state = &pieces[mark->count];
    if (!state->ok) return false;
    mark->future_state = u32_at(piece_bytes(c->memory, state), 0);
    return c->unsettled || c->ready == (mark->future_state != 0);
}
