#include "number.h"

#include <stdlib.h>
#include <string.h>

enum { LAUNCH_DEPTH = 12 /* frames from the root among which those of `flamespan run` are */ };

/* Python hides frames that are still being made, and those of its own between a class and its
 * __init__ (_PyFrame_IsIncomplete). */
static bool is_unfinished(const Sampler *s, const Code *code, const WalkFrame *frame) {
    return frame->owner != s->layout.owner_generator && frame->unit < code->traceable;
}

static bool is_launch(const Code *code) {
    return code && (code->launch == LAUNCH_OURS || code->launch == LAUNCH_MACHINERY);
}

/* How many frames from the leaf on are the program's own: `flamespan run` puts a few below. */
static int first_own(const Walk *walk) {
    int end = walk->count;
    for (int i = end - 1; i >= 0 && i >= end - LAUNCH_DEPTH; i--) {
        const Code *code = walk->frames[i].known;
        if (!code || code->launch != LAUNCH_OURS) continue;
        while (i && is_launch(walk->frames[i - 1].known)) i--;
        return i;
    }
    return end;
}

static uint32_t pseudo(Sampler *s, uint32_t parent, const char *name, uint32_t len) {
    uint32_t function = names_function(&s->names, name, len, "", 0, 0);
    return names_stack(&s->names, parent, names_frame(&s->names, function, 0));
}

static uint32_t omitted(Sampler *s, uint32_t parent, int count) {
    char name[48], digits[12];
    uint32_t len = 0, n = 0;
    do digits[n++] = (char)('0' + count % 10);
    while ((count /= 10));
    name[len++] = '<';
    while (n) name[len++] = digits[--n];
    memcpy(name + len, " frames omitted>", 16);
    return pseudo(s, parent, name, len + 16);
}

static PathStep *path_of(Thread *thread, int length) {
    if (length <= thread->path_room) return thread->path;
    int room = thread->path_room ? thread->path_room : 64;
    while (room < length) room *= 2;
    PathStep *path = realloc(thread->path, (size_t)room * sizeof *path);
    if (!path) return NULL;
    thread->path = path;
    thread->path_room = room;
    return path;
}

/* If the leaf stands in a call into C whose name is known, that is the leaf. */
static uint32_t with_c_call(Sampler *s, const Walk *walk, uint32_t stack) {
    if (!walk->count || !walk->frames[0].known) return stack;
    const Code *code = walk->frames[0].known;
    const CCall *call = ccalls_find(&s->ccalls, code->addr, walk->frames[0].unit, code->print);
    if (!call) return stack;
    uint32_t function = names_function(&s->names, call->name, call->length, "<built-in>", 10, 0);
    return names_stack(&s->names, stack, names_frame(&s->names, function, 0));
}

/* Number the stack, root first. As long as it is the one of the look before, so are its numbers. */
uint32_t number_walk(Sampler *s, Thread *thread, bool torn) {
    uint32_t under = torn ? pseudo(s, 0, "<torn>", 6) : 0;
    const Walk *walk = &s->walker.walk;
    PathStep *path = path_of(thread, walk->count + 1);
    if (!path) return under;
    uint32_t stack = under;
    int depth = 0;
    bool same = !walk->omitted && !under;
    for (int i = first_own(walk) - 1; i >= 0; i--) {
        if (walk->omitted && i == walk->leaf_count - 1) stack = omitted(s, stack, walk->omitted);
        Code *code = walk->frames[i].known;
        if (!code || is_unfinished(s, code, &walk->frames[i])) continue;
        PathStep step = {code->serial, 0, walk->frames[i].unit};
        same = same && depth < thread->path_len && path[depth].serial == step.serial &&
               path[depth].unit == step.unit;
        stack = same ? path[depth].stack
                     : names_stack(&s->names, stack, codes_place(&s->codes, code, step.unit));
        step.stack = stack;
        path[depth++] = step;
    }
    thread->path_len = walk->omitted || under ? 0 : depth;
    return with_c_call(s, walk, stack);
}
