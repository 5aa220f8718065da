/* Fuzzes all that reads the interpreter's structures: hostile, random and changing memory.
 *
 * Two programs from one file:
 *
 *     fuzz [seed] [rounds]      has a generator of its own; any compiler
 *     with -DLIBFUZZER -fsanitize=fuzzer      guided by what the input reaches; clang
 *
 * Each input makes up a process (threads, stacks, code, contexts), corrupts some of it, and lets
 * the readers loose on it, in memory of which reads fail and which changes while it is read. They
 * must come to an end, within bounds, with results that are within bounds, and without an error
 * that a sanitizer sees. Once the memory is sound again they must find what is there. */
#include "attacks.h"
#include "real_memory.h"

enum {
    INPUT_MAX = 2048,
    RECOVERY_WALKS = 80, /* frames outside the data stack are forgotten after 64 walks */
    SECONDS_MAX = 30     /* of one round; they take milliseconds */
};

static Image image;
static Engine engines[3];

static void build_process(World *w, Choices *c, int *interps) {
    static const char *const paths[] = {"b", "ab", "aab", "bc", "bbbbbbbc", "a"};
    uintptr_t interp[3], spans[4];
    *interps = 1 + (int)pick(c, 3);
    for (int i = 0; i < *interps; i++) interp[i] = image_room(w->m, 128);
    for (int i = 0; i < 4; i++)
        spans[i] = build_span(w, 20 + i, i % 4 ? (int64_t)pick(c, 3) : 0, i ? spans[i - 1] : 0);
    for (int threads = 1 + (int)pick(c, THREADS); threads; threads--) {
        static const int depths[] = {3, 1, 10, 40, 150, DEPTH_MAX};
        const char *path = paths[pick(c, 6)];
        uintptr_t span = path[0] == 'a' && !path[1] ? 0 : spans[pick(c, 4)];
        Plan plan = {.depth = depths[pick(c, 6)], .generators = (int)pick(c, 5),
                     .entries = (int)pick(c, 5), .chunk = 40 - (int)pick(c, 39)};
        if (plan.chunk * CHUNKS_MAX < plan.depth) plan.chunk = 1 + plan.depth / CHUNKS_MAX;
        uintptr_t context = pick(c, 8) == 7 ? 0 : build_context(w, path, span);
        build_thread(w, interp[w->threads % *interps], &plan, context);
    }
    build_lists(w, interp, *interps < w->threads ? *interps : w->threads);
    if (*interps > w->threads) *interps = w->threads;
}

/* Nothing but random words, some of them addresses in the image. */
static void build_noise(World *w, Choices *c) {
    Image *m = w->m;
    Choices noise = {.random = pick_bytes(c, 8) | 1};
    uint64_t addresses = pick_bytes(c, 1), small = pick_bytes(c, 1);
    m->used = 1 << 14;
    for (uint32_t at = 0; at < m->used; at += 8) {
        uint64_t word = pick_bytes(c->left ? c : &noise, 8), kind = pick_bytes(&noise, 1);
        if (kind < addresses) word = IMAGE_BASE + word % (m->used + IMAGE_TAIL) / 8 * 8;
        else if (kind < small) word %= 512;
        image_field(m, IMAGE_BASE + at, word, 8);
    }
    for (w->threads = 0; w->threads < THREADS; w->threads++)
        w->thread[w->threads].tstate = IMAGE_BASE + pick_bytes(&noise, 2) / 8 * 8;
}

static uintptr_t some_address(const World *w, Choices *c) {
    if (pick(c, 4) == 3) return (uintptr_t)pick_bytes(c, 8);
    Field field = w->m->fields[pick(c, (uint32_t)w->m->field_count)];
    return IMAGE_BASE + field.at - pick(c, 8) * 8;
}

/* Reads fail, memory changes: how often. */
static void draw_fate(Image *m, Choices *c) {
    static const uint32_t rates[] = {0, 0, 0, 1000, 100, 30, 10, 3};
    m->fail_one_in = rates[pick(c, 8)];
    m->change_one_in = rates[pick(c, 8)];
    m->fate.random = pick_bytes(c, 8) | 1;
}

static void read_all(Engine *e, World *w, Choices *c) {
    uintptr_t addrs[CODES + 8];
    SpanKey key = e->key; /* what it learns of types that change stays here */
    for (int i = 0; i < 5; i++) read_text(e, w->text[i]);
    read_text(e, some_address(w, c));
    for (int i = 0; i < CODES + 8; i++) addrs[i] = i < CODES ? w->code[i] : some_address(w, c);
    read_codes(e, addrs, CODES + 8, (int32_t)pick_bytes(c, 4) >> pick(c, 32));
    for (int i = 0; i < w->threads; i++) read_context(e, w->context[i]);
    read_context(e, some_address(w, c));
    for (int i = 0; i < w->threads; i++) read_chain(e, w->thread[i].leaf - e->layout.gen_frame);
    read_chain(e, some_address(w, c));
    for (int i = 0; i < 8; i++) read_join(e, some_address(w, c), pick(c, 16));
    chain_read_frames(&e->chain, w->thread[0].leaf);
    chain_read_frames(&e->chain, some_address(w, c));
    e->key = key;
    check_told(e);
}

static void look_around(Engine *e, World *w, Choices *c, bool noise) {
    int which = (int)pick(c, WALKERS);
    SpanKey key = e->key;
    Prediction p = {0};
    for (int i = 1 + (int)pick(c, 6); i; i--) {
        for (uint32_t n = pick(c, 4); n; n--) image_corrupt(w->m, c);
        for (uint32_t n = pick(c, 4); n; n--) image_mend(w->m, c);
        if (pick(c, 4)) pass(e, which, 8);
        else walk(e, which, w->thread[pick(c, (uint32_t)w->threads)].tstate, &p, pick(c, 2));
    }
    prediction_free(&p);
    if (noise) e->key = key;
}

/* The memory is sound again: so must be what is found, whatever was predicted before. */
static void recover(Engine *e, World *w, int which, int interps) {
    image_restore(w->m);
    w->m->fail_one_in = w->m->change_one_in = 0;
    codes_clear(&e->codes); /* code that has been read does not change */
    for (int i = 0; i < e->threads.count; i++) e->threads.rows[i]->quiet = 0;
    for (int i = 0; i < 2; i++) threads_find(&e->threads);
    check_threads(e, w, interps);
    for (int i = 0; i < e->threads.count; i++) {
        Thread *thread = e->threads.rows[i];
        int walks = 0, n = built_thread(w, thread->tstate);
        while (walk(e, which, thread->tstate, &thread->prediction, false) != WALK_WHOLE)
            CHECK(++walks < RECOVERY_WALKS);
        check_walk(e, which, &w->thread[n]);
    }
    check_told(e);
}

static void run_one(const uint8_t *data, size_t len, bool fresh) {
    Choices c = {.at = data, .left = len};
    Engine *e = &engines[pick(&c, 3)];
    World w;
    int interps = 0;
    bool noise = pick(&c, 8) == 7;
    build_world(&w, &image, &e->layout);
    if (noise) build_noise(&w, &c);
    else build_process(&w, &c, &interps);
    image_keep(&image);
    engine_reset(e, &w, fresh);
    for (uint32_t n = pick(&c, 64) / 4 * pick(&c, 16); n; n--) image_corrupt(&image, &c);
    draw_fate(&image, &c);
    read_all(e, &w, &c);
    look_around(e, &w, &c, noise);
    if (!noise) recover(e, &w, (int)pick(&c, WALKERS), interps);
    line_of(c.at, c.left, (int32_t)pick_bytes(&c, 4), (int32_t)pick_bytes(&c, 2));
}

static void begin(void) {
    Layout like_315_ = like_315();
    answer_memory();
    image_init(&image);
    engine_init(&engines[0], &LIKE_311, &image);
    engine_init(&engines[1], &LIKE_314, &image);
    engine_init(&engines[2], &like_315_, &image);
    for (int i = 0; i < 3; i++) {
        answer_all(&engines[i], &image);
        attack_all(&engines[i], &image);
    }
}

#ifdef LIBFUZZER

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    run_one(data, len, true);
    return 0;
}

#else

#include <signal.h>
#include <unistd.h>

static void engine_free(Engine *e) {
    for (int i = 0; i < WALKERS; i++) walker_free(&e->walker[i]);
    threads_free(&e->threads);
    codes_free(&e->codes);
    names_free(&e->names);
    free(e->memory.bytes);
}

static unsigned long long seed = 1, at_round;

/* How to come here again; a round may depend on those before it. */
static void tell(int signal_number) {
    static char line[80];
    int len = snprintf(line, sizeof line, "signal %d in round %llu of seed %llu\n", signal_number,
                       at_round, seed);
    if (len > 0 && write(2, line, (size_t)len) < 0) _exit(3);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

int main(int count, char **words) {
    unsigned long long rounds = 20000;
    static uint8_t input[INPUT_MAX];
    if (count > 1) seed = strtoull(words[1], NULL, 10);
    if (count > 2) rounds = strtoull(words[2], NULL, 10);
    signal(SIGABRT, tell);
    signal(SIGALRM, tell);
    alarm(SECONDS_MAX);
    begin();
    uint64_t random = seed * 0x2545f4914f6cdd1du;
    for (at_round = 0; at_round < rounds; at_round++) {
        size_t len = next_random(&random) % INPUT_MAX;
        for (size_t i = 0; i < len; i++) input[i] = (uint8_t)next_random(&random);
        alarm(SECONDS_MAX);
        run_one(input, len, at_round % 32 == 0);
    }
    uint64_t walks[WALK_GONE + 1] = {0};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k <= WALK_GONE; k++) walks[k] += engines[i].walks[k];
        engine_free(&engines[i]);
    }
    free(image.bytes);
    free(image.before);
    printf("seed %llu, %llu rounds; walks: %llu whole, %llu torn, %llu empty, %llu gone\n", seed,
           rounds, (unsigned long long)walks[0], (unsigned long long)walks[1],
           (unsigned long long)walks[2], (unsigned long long)walks[3]);
    return 0;
}

#endif
