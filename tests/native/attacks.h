/* Memory that is hostile in ways that chance does not come upon: each was once too much for a
 * reader, or was feared to be. */
#ifndef FUZZ_ATTACKS_H
#define FUZZ_ATTACKS_H

#include "answers.h"

static uintptr_t peek(const World *w, uintptr_t addr) {
    uintptr_t word = 0;
    if (image_has(w->m, addr, 8)) memcpy(&word, w->m->bytes + (addr - IMAGE_BASE), 8);
    return word;
}

static void poke(World *w, uintptr_t addr, uintptr_t word) { image_fill(w->m, addr, &word, 8); }

static void build_alone(World *w, Engine *e, Image *m, const Plan *plan) {
    build_world(w, m, &e->layout);
    uintptr_t interp = image_room(m, 128);
    build_thread(w, interp, plan, 0);
    build_lists(w, &interp, 1);
    image_keep(m);
    engine_reset(e, w, true);
}

/* A generator's frame at the very start of all that was copied: its state lies before it. */
static void attack_start(Engine *e, Image *m) {
    static const Plan plan = {60, 0, 0, 10};
    World w;
    Prediction p = {0};
    build_alone(&w, e, m, &plan);
    uintptr_t tstate = w.thread[0].tstate, oldest = peek(&w, tstate + e->layout.ts_chunk);
    CHECK(walk(e, 0, tstate, &p, false) == WALK_WHOLE);
    while (peek(&w, oldest)) oldest = peek(&w, oldest + e->layout.chunk_previous);
    poke(&w, w.thread[0].leaf + e->layout.frame_previous, oldest);
    image_fill(m, oldest + e->layout.frame_owner, &e->layout.owner_generator, 1);
    walk(e, 0, tstate, &p, false);
    prediction_free(&p);
}

/* A list of chunks that was cut short when it was read is not believed for ever. */
static void attack_chunks(Engine *e, Image *m) {
    static const Plan plan = {60, 0, 0, 10};
    World w;
    Prediction p = {0};
    build_alone(&w, e, m, &plan);
    uintptr_t tstate = w.thread[0].tstate, chunk = peek(&w, tstate + e->layout.ts_chunk);
    poke(&w, peek(&w, chunk + e->layout.chunk_previous) + e->layout.chunk_previous, 0);
    walk(e, 0, tstate, &p, false);
    image_restore(m);
    CHECK(walk(e, 0, tstate, &p, false) == WALK_WHOLE);
    check_walk(e, 0, &w.thread[0]);
    prediction_free(&p);
}

/* Threads, then interpreters, each of which comes after the other. */
static void attack_rings(Engine *e, Image *m) {
    static const Plan plan = {3, 0, 0, 10};
    World w;
    build_world(&w, m, &e->layout);
    uintptr_t interp[2] = {image_room(m, 128), image_room(m, 128)};
    for (int i = 0; i < THREADS; i++) build_thread(&w, interp[i % 2], &plan, 0);
    build_lists(&w, interp, 2);
    image_keep(m);
    for (int which = 0; which < 2; which++) {
        image_restore(m);
        engine_reset(e, &w, true);
        if (which) poke(&w, interp[1] + e->layout.interp_next, interp[0]);
        else poke(&w, w.thread[2].tstate + e->layout.ts_next, w.thread[0].tstate);
        for (int i = 0; i < 3; i++) {
            pass(e, 0, THREADS);
            CHECK(!e->threads.complete && e->threads.count <= THREADS);
        }
        image_restore(m);
        pass(e, 0, THREADS);
        check_threads(e, &w, 2);
    }
}

typedef struct {
    World *w;
    uintptr_t next;
} Flood;

/* At each look, every frame runs code that was never seen before. */
static bool flood_read(void *context, uintptr_t addr, void *to, size_t len) {
    Flood *flood = context;
    World *w = flood->w;
    const Built *b = &w->thread[0];
    uintptr_t frame = b->leaf;
    if (addr == b->tstate)
        for (int i = 0; i < b->depth; i++, frame = peek(w, frame + w->l->frame_previous))
            poke(w, frame + w->l->frame_code, flood->next += 8);
    return image_read(w->m, addr, to, len);
}

/* The table of code objects never fills up: it could not be searched then. */
static void attack_codes(Engine *e, Image *m) {
    static const Plan plan = {DEPTH_MAX, 0, 0, 20};
    World w;
    Walker walker;
    Flood flood = {&w, 1 << 20};
    Prediction p = {0};
    build_alone(&w, e, m, &plan);
    CHECK(walker_init(&walker, &e->layout, &e->memory, &e->codes, &e->key, DEPTH_MAX, 1));
    e->memory.test = flood_read;
    e->memory.test_context = &flood;
    for (int i = 0; i < 4; i++) {
        CHECK(walk_thread(&walker, w.thread[0].tstate, &p, false) == WALK_TORN);
        CHECK(e->codes.used < CODE_ROOM);
    }
    e->memory.test = image_read;
    e->memory.test_context = m;
    prediction_free(&p);
    walker_free(&walker);
    codes_clear(&e->codes);
}

static void attack_all(Engine *e, Image *m) {
    attack_start(e, m);
    attack_chunks(e, m);
    attack_rings(e, m);
    attack_codes(e, m);
}

#endif
