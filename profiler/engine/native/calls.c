#include "calls.h"

#include <string.h>

#include "word.h"

enum {
    CALLS_MAX = 1 << 16,
    ROUNDS_MAX = 12, /* looks until a stack is taken as it is: most likely all of its code is new */
    TRUSTED = 2,     /* times that a call was seen */
    RARE = 256,      /* other calls from that place for each of it: rarer than this is in doubt */
    COUNT_MAX = INT32_MAX
};

bool calls_init(Calls *calls) {
    memset(calls, 0, sizeof *calls);
    return table_init(&calls->sites, 1 << 10) && table_init(&calls->calls, 1 << 10);
}

void calls_free(Calls *calls) {
    table_free(&calls->sites);
    table_free(&calls->calls);
}

void calls_begin(Calls *calls) {
    if (calls->calls.used > CALLS_MAX || calls->sites.used > CALLS_MAX) {
        table_clear(&calls->calls);
        table_clear(&calls->sites);
    }
    calls->doubt_count = calls->rounds = 0;
}

static bool doubted_before(const Calls *calls, uintptr_t caller, uintptr_t callee, uint64_t key) {
    for (int i = 0; i < calls->doubt_count; i++)
        if (calls->doubts[i].caller == caller && calls->doubts[i].callee == callee &&
            calls->doubts[i].key == key)
            return true;
    return false;
}

static bool is_same(const Walk *walk, int i, const WalkFrame *last, int last_count) {
    int j = i + last_count - walk->count; /* both count from the leaf; the root is common */
    return j >= 0 && last[j].addr == walk->frames[i].addr && last[j].code == walk->frames[i].code &&
           last[j].unit == walk->frames[i].unit;
}

bool calls_known(Calls *calls, const Walk *walk, const WalkFrame *last, int last_count) {
    Calls now = {.doubt_count = 0};
    bool known = true;
    for (int i = 0; i + 1 < walk->leaf_count; i++) {
        const WalkFrame *callee = &walk->frames[i], *caller = &walk->frames[i + 1];
        if (is_same(walk, i, last, last_count) && is_same(walk, i + 1, last, last_count)) continue;
        const Code *what = callee->known, *who = caller->known;
        if (!what || !who) return false;
        uint64_t place = (uint64_t)who->serial << 32 | (uint32_t)caller->unit;
        uint32_t from_here = table_count(&calls->sites, place, 3, COUNT_MAX);
        uint32_t seen = table_count(&calls->calls, place, (uint64_t)what->serial << 32 | 4,
                                    COUNT_MAX);
        if (seen >= TRUSTED && seen >= from_here / RARE) continue;
        uint64_t key = mix_in(mix(place), what->serial);
        known = known && doubted_before(calls, caller->addr, callee->addr, key);
        if (now.doubt_count == DOUBTS_MAX) continue;
        now.doubts[now.doubt_count].caller = caller->addr;
        now.doubts[now.doubt_count].callee = callee->addr;
        now.doubts[now.doubt_count++].key = key;
    }
    memcpy(calls->doubts, now.doubts, sizeof now.doubts);
    calls->doubt_count = now.doubt_count;
    return known || ++calls->rounds >= ROUNDS_MAX;
}
