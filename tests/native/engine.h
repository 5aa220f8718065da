/* The readers of one interpreter, as the sampler has them, and what must hold of all results. */
#ifndef FUZZ_ENGINE_H
#define FUZZ_ENGINE_H

#include "chain.h"
#include "lines.h"
#include "text.h"
#include "thread.h"
#include "world.h"

enum {
    LEAF_MAX = 200,
    ROOT_MAX = 56,
    WALKERS = 3,
    CODE_ROOM = 1 << 15, /* rows of the table in code.c: a full one cannot be searched */
    NAMES_MAX = 1 << 14,
    /* Reads of one walk, and of one look at the lists: pieces of a gather, then single ones. */
    LOOK_READS = WALK_PIECES + OUTSIDE_MAX + CHUNKS_MAX + 6 * TRACE_READS +
                 8 * (LEAF_MAX + ROOT_MAX),
    LIST_READS = 10 * INTERPS_MAX + 8 * THREADS_MAX
};
/* Types lie behind each other from the code type on, a word each. */
static const Forks forks = {
    .future_type = IMAGE_CODE_TYPE + 48, .future_state = 24, .task_count = 2, .count = 4,
    .tasks = {{IMAGE_CODE_TYPE + 40, 32, 40, true}, {IMAGE_CODE_TYPE + 56, 16, 0, false}},
    .rows = {{.at = IMAGE_CODE_TYPE + 64, .hops = {-24, 40, 8}, .hop_count = 3},
             {.at = IMAGE_CODE_TYPE + 48, .hops = {24, 72}, .hop_count = 2, .checked = 1,
              .check_at = 48, .check = IMAGE_CODE_TYPE},
             {.at = IMAGE_CODE_TYPE + 72, .hops = {0}, .hop_count = 1},
             {.at = IMAGE_CODE_TYPE + 80, .hops = {0, 16}, .hop_count = 2}},
    .type_base = 8, .list_type = IMAGE_CODE_TYPE + 88, .set_type = IMAGE_CODE_TYPE + 96,
    .list_items = 24, .set_table = 40, .set_mask = 32,
};
#define NOBODYS ((int64_t)0x6e6f626f6479)

typedef struct {
    Layout layout;
    Memory memory;
    Names names;
    Codes codes;
    SpanKey key;
    Walker walker[WALKERS]; /* that keep all, few and single frames */
    Threads threads;
    Text text;
    Chain chain;
    uint64_t walks[WALK_GONE + 1];
} Engine;

static void engine_init(Engine *e, const Layout *layout, Image *m) {
    static const int leaf[WALKERS] = {LEAF_MAX, 3, 1}, root[WALKERS] = {ROOT_MAX, 2, 1};
    memset(e, 0, sizeof *e);
    e->layout = *layout;
    e->memory.way = MEMORY_TEST;
    e->memory.bytes = malloc(MEMORY_BYTES + MEMORY_SCRATCH);
    e->memory.test = image_read;
    e->memory.test_context = m;
    CHECK(e->memory.bytes && names_init(&e->names));
    CHECK(codes_init(&e->codes, &e->layout, &e->memory, &e->names));
    CHECK(threads_init(&e->threads, &e->layout, &e->memory));
    e->chain = (Chain){.layout = &e->layout, .memory = &e->memory, .codes = &e->codes};
    e->chain.types = (AwaitTypes){.wraps = {{IMAGE_CODE_TYPE + 24, 16}}, .wrap_count = 1,
                                  .waiter_type = IMAGE_CODE_TYPE + 32, .waiter_future = 16,
                                  .forks = forks};
    e->codes.ours = "/srv/run.py";
    e->codes.machinery = "/srv/other.py\n/srv/app.py\n";
    for (int i = 0; i < WALKERS; i++)
        CHECK(walker_init(&e->walker[i], &e->layout, &e->memory, &e->codes, &e->key, leaf[i],
                          root[i]));
}

/* Forget the threads; and, at times, all that a new file would make it forget. */
static void engine_reset(Engine *e, const World *w, bool all) {
    threads_free(&e->threads);
    threads_init(&e->threads, &e->layout, &e->memory);
    e->key = (SpanKey){.variable = w->variable, .hash = VARIABLE_HASH};
    if (!all && e->names.stacks.used < NAMES_MAX) return;
    names_clear(&e->names);
    codes_clear(&e->codes);
    for (int i = 0; i < WALKERS; i++) {
        table_clear(&e->walker[i].calls.calls);
        table_clear(&e->walker[i].calls.sites);
    }
}

/* Take what was told, as a drain does; it must be as much as is counted. */
static void check_told(Engine *e) {
    Told told = names_take(&e->names);
    size_t frames = e->names.frames.used + 1 - told.first_frame;
    size_t stacks = e->names.stacks.used + 1 - told.first_stack, at = 0;
    CHECK(told.frame_function.used == 4 * frames && told.frame_line.used == 4 * frames);
    CHECK(told.stack_parent.used == 4 * stacks && told.stack_frame.used == 4 * stacks);
    CHECK(told.function_count == e->names.functions.used + 1 - told.first_function);
    for (uint32_t i = 0; i < 3 * told.function_count; i++) {
        uint32_t word; /* of a function: length and name, length and file, first line */
        CHECK(at + 4 <= told.functions.used);
        memcpy(&word, told.functions.bytes + at, 4);
        at += 4 + (i % 3 == 2 ? 0 : word);
    }
    CHECK(at == told.functions.used);
    told_free(&told);
}

static void read_text(Engine *e, uintptr_t addr) {
    if (!text_read(&e->memory, &e->layout, addr, &e->text)) return;
    CHECK(e->text.len <= sizeof e->text.bytes);
    for (uint32_t i = 0; i < e->text.len; i++) { /* first bytes, and as many others as they say */
        uint8_t first = (uint8_t)e->text.bytes[i];
        uint32_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        CHECK((first & 0xc0) != 0x80 && first < 0xf5 && more < e->text.len - i);
        for (; more; more--) CHECK((e->text.bytes[++i] & 0xc0) == 0x80);
    }
}

static void read_codes(Engine *e, const uintptr_t *addrs, int count, int32_t unit) {
    codes_begin(&e->codes);
    int changed = codes_check(&e->codes, addrs, count);
    CHECK(changed >= 0 && changed <= count && e->codes.used < CODE_ROOM);
    for (int i = 0; i < count; i++) {
        Code *code = codes_known(&e->codes, addrs[i]);
        if (code) CHECK(codes_place(&e->codes, code, unit) <= e->names.frames.used);
    }
}

static void read_context(Engine *e, uintptr_t context) {
    SpanTrace trace;
    context_trace(&e->memory, &e->layout, &e->key, context, &trace);
    CHECK(trace.count >= 0 && trace.count <= TRACE_READS && trace.context == context);
    CHECK(trace.whole || !trace.span);
    for (int i = 0; i < trace.count; i++) CHECK(trace.read[i].len <= TRACE_BYTES);
}

static void check_prediction(const Prediction *p) {
    CHECK(p->chunks >= 0 && p->chunks <= CHUNKS_MAX && p->base >= 0);
    CHECK(p->base < p->chunks || !p->base);
    CHECK(p->outsides >= 0 && p->outsides <= OUTSIDE_MAX && p->outsides <= p->outside_room);
    CHECK(p->trace.count >= 0 && p->trace.count <= TRACE_READS);
    CHECK(p->last_count >= 0 && p->last_count <= p->last_room);
}

/* What the sampler does with a stack: number it, from the root on. */
static uint32_t number_walk(Engine *e, const Walk *walk) {
    uint32_t stack = 0;
    for (int i = walk->count - 1; i >= 0; i--) {
        Code *code = codes_known(&e->codes, walk->frames[i].code);
        CHECK(code && code->serial && code->serial <= e->codes.serial);
        CHECK(walk->frames[i].unit >= (e->layout.instr_is_before ? -1 : 0));
        CHECK(walk->frames[i].unit < (int64_t)code->units);
        uint32_t frame = codes_place(&e->codes, code, walk->frames[i].unit);
        CHECK(frame && frame <= e->names.frames.used);
        stack = names_stack(&e->names, stack, frame);
        CHECK(stack && stack <= e->names.stacks.used);
    }
    return stack;
}

static Verdict walk(Engine *e, int which, uintptr_t tstate, Prediction *p, bool running) {
    Walker *walker = &e->walker[which];
    Image *m = e->memory.test_context;
    Walk *walk = &walker->walk;
    uint64_t reads = m->reads;
    walk->span = NOBODYS; /* as if of another thread's walk: must not be taken for this one's */
    walk->span_known = true;
    Verdict verdict = walk_thread(walker, tstate, p, running);
    CHECK(verdict <= WALK_GONE && walk->attempts >= 1 && walk->attempts <= ATTEMPTS_MAX);
    CHECK(m->reads - reads <= (uint64_t)walk->attempts * LOOK_READS);
    CHECK(walk->count >= 0 && walk->count <= walker->leaf_max + walker->root_max);
    CHECK(walk->leaf_count <= walk->count && walk->leaf_count <= walker->leaf_max);
    CHECK(walk->omitted >= 0 && walk->omitted <= FRAMES_MAX && e->codes.used < CODE_ROOM);
    check_prediction(p);
    e->walks[verdict]++;
    if (verdict > WALK_TORN) return verdict;
    CHECK(verdict != WALK_WHOLE || (walk->count && walk->leaf_count));
    CHECK(verdict != WALK_TORN || (walk->count == walk->leaf_count && !walk->omitted));
    CHECK(!walk->span_known || walk->span != NOBODYS);
    number_walk(e, walk);
    return verdict;
}

/* One pass of the sampler: find the threads, look at some. */
static void pass(Engine *e, int which, int most) {
    Image *m = e->memory.test_context;
    Threads *t = &e->threads;
    uint64_t reads = m->reads;
    threads_find(t);
    CHECK(m->reads - reads <= LIST_READS);
    CHECK(t->count >= 0 && t->count <= THREADS_MAX && t->count <= t->room);
    CHECK(t->interp_count >= 0 && t->interp_count <= INTERPS_MAX);
    CHECK(t->gone_count >= 0 && t->gone_count <= 2 * t->room);
    CHECK(t->birth_count <= t->birth_room);
    for (int i = 0; i < t->count && i < most; i++) {
        Thread *thread = t->rows[i];
        for (int k = 0; k < i; k++) CHECK(t->rows[k]->tstate != thread->tstate);
        if (thread->seen != t->pass) continue;
        thread->quiet++; /* a parked thread is read less of */
        walk(e, which, thread->tstate, &thread->prediction, thread->holds_gil);
        thread->last_frame = e->walker[which].walk.frame;
    }
    check_told(e);
}

/* The coroutines that whatever lies at `object` waits for. */
static void read_chain(Engine *e, uintptr_t object) {
    Chain *chain = &e->chain;
    ChainMark mark;
    Piece pieces[CHAIN_PIECES];
    uint8_t types[3] = {0, 8, 16};
    uintptr_t type = IMAGE_CODE_TYPE + types[object / 8 % 3];
    if (object) image_fill(e->memory.test_context, object + e->layout.ob_type, &type, sizeof type);
    ChainVerdict verdict = chain_read(chain, object);
    CHECK(chain->count >= 0 && chain->count <= CHAIN_MAX);
    if (verdict != CHAIN_SUSPENDED) return;
    CHECK(chain->count > 0);
    if (!chain_mark(chain, &mark)) return;
    int count = chain_list(&e->layout, &chain->types, &mark, pieces);
    CHECK(count == chain_count(&mark) && count <= CHAIN_PIECES);
    memory_gather(&e->memory, pieces, count);
    chain_is_as_before(&e->memory, &mark, pieces);
}

/* The tasks that whatever lies at `object` stands for. */
static void read_join(Engine *e, uintptr_t object, uint32_t which) {
    Join join = {.layout = &e->layout, .memory = &e->memory, .forks = &forks, .turn = object};
    uintptr_t type = IMAGE_CODE_TYPE + 40 + which % 8 * 8;
    if (object) image_fill(e->memory.test_context, object + e->layout.ob_type, &type, sizeof type);
    join_future(&join, object);
    join_frame(&join, IMAGE_CODE_TYPE + 72 + which % 2 * 8, object);
}

#endif
