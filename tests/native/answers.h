/* Sound images, and the exact answers that the readers must give to them. */
#ifndef FUZZ_ANSWERS_H
#define FUZZ_ANSWERS_H

#include "engine.h"

static void answer_texts(Engine *e, World *w) {
    static const char *const texts[] = {
        "/srv/app.py", "caf\xc3\xa9", "\xc5\x81\xe2\x82\xac\xed\xa0\x80\xdf\xbfx",
        "\xf0\x9f\x98\x80y\xf4\x8f\xbf\xbf\xef\xbf\xbf", ""};
    static uint8_t many[TEXT_MAX + 1];
    for (int i = 0; i < 5; i++) {
        CHECK(text_read(&e->memory, &e->layout, w->text[i], &e->text));
        CHECK(e->text.len == strlen(texts[i]) && !memcmp(e->text.bytes, texts[i], e->text.len));
    }
    memset(many, 'z', sizeof many);
    uintptr_t exact = build_text(w, 1, true, many, TEXT_MAX);
    uintptr_t longer = build_text(w, 1, true, many, TEXT_MAX + 1);
    CHECK(text_read(&e->memory, &e->layout, exact, &e->text) && e->text.len == TEXT_MAX);
    CHECK(text_read(&e->memory, &e->layout, longer, &e->text) && e->text.len == TEXT_MAX + 3);
    CHECK(!memcmp(e->text.bytes + TEXT_MAX, "\xe2\x80\xa6", 3));
    CHECK(!text_read(&e->memory, &e->layout, IMAGE_BASE - 64, &e->text));
    CHECK(!text_read(&e->memory, &e->layout, w->code[0], &e->text));
}

static void answer_lines(void) {
    /* one-line form; two instructions without columns, 3 lines up; long form, 40 on; no line */
    static const uint8_t table[] = {0xd8, 0, 0, 0xe9, 7, 0xf0, 0x50, 1, 0, 0, 0, 0xf8};
    static const int32_t lines[] = {11, 8, 8, 48, 0, 0};
    CHECK(line_of(table, sizeof table, 10, -1) == 10);
    for (int32_t i = 0; i < 6; i++) CHECK(line_of(table, sizeof table, 10, i) == lines[i]);
}

/* The walk in the walker must be of this stack, whole. */
static void check_walk(Engine *e, int which, const Built *b) {
    const Walker *walker = &e->walker[which];
    const Walk *walk = &walker->walk;
    int most = walker->leaf_max + walker->root_max;
    CHECK(walk->count == (b->depth < most ? b->depth : most));
    CHECK(walk->omitted == b->depth - walk->count && walk->frame == b->leaf);
    for (int i = 0; i < walk->count; i++) {
        int k = i < walk->leaf_count ? i : i + walk->omitted;
        CHECK(walk->frames[i].code == b->code[k] && walk->frames[i].unit == b->unit[k]);
    }
}

static void check_names(Engine *e, const Built *b) {
    const Code *code = codes_known(&e->codes, b->code[0]);
    CHECK(code && code->launch == LAUNCH_MACHINERY && code->function);
    uint32_t frame = codes_place(&e->codes, (Code *)code, b->unit[0]) - e->names.told.first_frame;
    int32_t line, first = code->first_line;
    memcpy(&line, e->names.told.frame_line.bytes + 4 * (size_t)frame, sizeof line);
    CHECK(line == first + b->unit[0] + 1 && first % 100 == 0);
}

static void answer_stack(Engine *e, Image *m, const Plan *plan) {
    World w;
    build_world(&w, m, &e->layout);
    uintptr_t interp = image_room(m, 128), span = build_span(&w, 4711, 0, 0);
    build_thread(&w, interp, plan, build_context(&w, "b", span));
    build_lists(&w, &interp, 1);
    for (int which = 0; which < WALKERS; which++) {
        Prediction p = {0};
        engine_reset(e, &w, true);
        for (int again = 0; again < 3; again++) {
            CHECK(walk(e, which, w.thread[0].tstate, &p, again == 1) == WALK_WHOLE);
            check_walk(e, which, &w.thread[0]);
            CHECK(e->walker[which].walk.span_known && e->walker[which].walk.span == 4711);
            CHECK(!again || e->walker[which].walk.attempts <= 13);
        }
        check_names(e, &w.thread[0]);
        check_told(e);
        prediction_free(&p);
    }
}

static void answer_stacks(Engine *e, Image *m) {
    static const Plan plans[] = {
        {1, 0, 0, 40}, {5, 0, 0, 40},   {150, 0, 0, 200}, {150, 0, 0, 20},
        {60, 3, 0, 10}, {60, 0, 4, 10}, {90, 4, 3, 7},    {400, 0, 0, 60},
        {400, 2, 0, 20}, {400, 3, 5, 9},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) answer_stack(e, m, &plans[i]);
}

static void answer_span(Engine *e, World *w, const char *path, uintptr_t span, int64_t id) {
    SpanTrace trace;
    uintptr_t context = build_context(w, path, span);
    context_trace(&e->memory, &e->layout, &e->key, context, &trace);
    CHECK(trace.whole && trace.span == id);
}

static void answer_spans(Engine *e, World *w) {
    static const char *const paths[] = {"b", "ab", "bb", "aab", "bc", "abc", "bbbbbbbc"};
    uintptr_t open = build_span(w, 7, 0, 0), closed = build_span(w, 8, 99, open);
    uintptr_t inner = build_span(w, 9, 100, closed), lone = build_span(w, 10, 100, 0);
    uintptr_t none = w->text[1]; /* a parent that is no span, as None is */
    uintptr_t orphan = build_span(w, 11, 100, none);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        answer_span(e, w, paths[i], open, 7);
        answer_span(e, w, paths[i], inner, 7);
        answer_span(e, w, paths[i], lone, 0);
        answer_span(e, w, paths[i], orphan, 0);
        answer_span(e, w, paths[i], none, 0);
        answer_span(e, w, paths[i], 0, 0); /* the variable is not in there */
    }
    answer_span(e, w, "a", 0, 0);
    CHECK(e->key.bitmap_type == w->bitmap_type && e->key.array_type == w->array_type);
    CHECK(e->key.collision_type == w->collision_type);
}

static int built_thread(const World *w, uintptr_t tstate) {
    int n = 0;
    while (n < w->threads && w->thread[n].tstate != tstate) n++;
    CHECK(n < w->threads);
    return n;
}

static void check_threads(Engine *e, const World *w, int interps) {
    const Threads *t = &e->threads;
    CHECK(t->complete && t->count == w->threads && t->interp_count == interps);
    for (int i = 0; i < t->count; i++) {
        const Thread *thread = t->rows[i];
        int n = built_thread(w, thread->tstate);
        for (int k = 0; k < i; k++) CHECK(t->rows[k]->tstate != thread->tstate);
        CHECK(thread->frame == w->thread[n].leaf && thread->context == w->context[n]);
        CHECK(thread->ident == 0x7000 + (uint64_t)n && thread->native_id == 1000 + (uint64_t)n);
        CHECK(thread->interp_id == n % interps && thread->holds_gil == (n == 0));
        CHECK(!thread->collecting && !thread->shadowed);
    }
}

static void answer_threads(Engine *e, Image *m, int interps) {
    static const Plan plan = {10, 0, 0, 10};
    World w;
    build_world(&w, m, &e->layout);
    uintptr_t interp[THREADS];
    for (int i = 0; i < interps; i++) interp[i] = image_room(m, 128);
    for (int i = 0; i < THREADS; i++) build_thread(&w, interp[i % interps], &plan, 0);
    build_lists(&w, interp, interps);
    engine_reset(e, &w, true);
    for (int i = 0; i < 3; i++) {
        pass(e, 0, THREADS);
        check_threads(e, &w, interps);
        CHECK(e->threads.birth_count == THREADS);
    }
}

static void answer_all(Engine *e, Image *m) {
    World w;
    build_world(&w, m, &e->layout);
    engine_reset(e, &w, true);
    answer_texts(e, &w);
    answer_spans(e, &w);
    answer_lines();
    answer_stacks(e, m);
    for (int interps = 1; interps <= 3; interps++) answer_threads(e, m, interps);
}

#endif
