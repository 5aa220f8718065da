#include "fork.h"

#include "word.h"

enum {
    HEAD_MAX = 256, /* bytes of a future that are read */
    BASES_MAX = 4,
    NESTED_MAX = 8,
    SLOT = 16,      /* bytes of a set's entry: key, hash */
    SLOTS_MAX = 1024
};

typedef enum { KIND_NONE, KIND_FUTURE, KIND_TASK } Kind;

typedef struct {
    Kind kind;
    const TaskKind *task;
    const Fork *fork;
} Known;

static bool read_word(const Join *j, uintptr_t at, uintptr_t *word) {
    return memory_read(j->memory, at, word, sizeof *word);
}

static const Fork *fork_at(const Forks *f, uintptr_t at) {
    for (int i = 0; i < f->count; i++)
        if (f->rows[i].at == at) return &f->rows[i];
    return NULL;
}

/* What objects of this type are, or of one that it inherits from. */
static Known known_type(const Join *j, uintptr_t type) {
    const Forks *f = j->forks;
    for (int i = 0; type && i < BASES_MAX; i++) {
        for (int k = 0; k < f->task_count; k++)
            if (f->tasks[k].type == type) return (Known){KIND_TASK, &f->tasks[k], NULL};
        const Fork *fork = fork_at(f, type);
        if (fork || type == f->future_type) return (Known){KIND_FUTURE, NULL, fork};
        if (!read_word(j, type + f->type_base, &type)) break;
    }
    return (Known){KIND_NONE, NULL, NULL};
}

static uintptr_t follow(const Join *j, const Fork *fork, uintptr_t from) {
    for (int i = 0; i < fork->hop_count; i++) {
        uintptr_t at = from + (uintptr_t)(intptr_t)fork->hops[i], found;
        if (!read_word(j, at, &from)) return 0;
        from = fork_pointer(from);
        if (!from) return 0;
        if (i + 1 != fork->checked) continue;
        if (!read_word(j, from + fork->check_at, &found) || found != fork->check) return 0;
    }
    return from;
}

/* Those of a list, from some place on: there may be more than are looked at. */
static int read_list(Join *j, uintptr_t list, uintptr_t *found) {
    uintptr_t items;
    int64_t size;
    if (!read_word(j, list + j->forks->list_items, &items) ||
        !memory_read(j->memory, list + j->layout->ob_size, &size, sizeof size) || size <= 0)
        return 0;
    uint64_t from = 0, count = (uint64_t)size;
    if (count > CHILDREN_MAX) {
        from = j->turn % (count - CHILDREN_MAX + 1);
        count = CHILDREN_MAX;
    }
    if (!memory_read(j->memory, items + from * sizeof *found, found, count * sizeof *found)) return 0;
    return (int)count;
}

/* The same of a set. */
static int read_set(Join *j, uintptr_t set, uintptr_t *found) {
    static _Thread_local uint8_t slots[SLOTS_MAX * SLOT];
    uintptr_t table, mask;
    if (!read_word(j, set + j->forks->set_table, &table) ||
        !read_word(j, set + j->forks->set_mask, &mask))
        return 0;
    uint64_t from = 0, size = (uint64_t)mask + 1;
    if (size > SLOTS_MAX) {
        from = j->turn % (size - SLOTS_MAX + 1);
        size = SLOTS_MAX;
    }
    if (!size || !memory_read(j->memory, table + from * SLOT, slots, size * SLOT)) return 0;
    int count = 0;
    for (uint64_t i = 0; i < size && count < CHILDREN_MAX; i++) {
        uintptr_t key = word_at(slots, (uint32_t)i * SLOT);
        if (key) found[count++] = key;
    }
    return count;
}

/* How much of a future or task has to be read. */
static uint32_t head_size(const Join *j) {
    const Forks *f = j->forks;
    uint32_t size = j->layout->ob_type + 8;
    if (f->future_state + 8 > size) size = f->future_state + 8;
    for (int i = 0; i < f->task_count; i++) {
        if (f->tasks[i].coroutine + 8 > size) size = f->tasks[i].coroutine + 8;
        if (f->tasks[i].context + 8 > size) size = f->tasks[i].context + 8;
    }
    return size < HEAD_MAX ? size : HEAD_MAX;
}

static bool is_pending(const Join *j, const Known *known, const uint8_t *head) {
    if (known->kind == KIND_TASK && !known->task->is_future) return true;
    return u32_at(head, j->forks->future_state) == 0;
}

/* One of those that are not done. 0: there is none. */
static uintptr_t choose(Join *j, const uintptr_t *children, int count) {
    static _Thread_local Piece pieces[CHILDREN_MAX];
    uint32_t size = head_size(j);
    int met = 0, left = 0;
    for (int i = 0; i < count; i++) pieces[i] = (Piece){.addr = children[i], .len = size};
    memory_gather(j->memory, pieces, count);
    for (int i = 0; i < count; i++) {
        if (!pieces[i].ok) continue;
        const uint8_t *head = piece_bytes(j->memory, &pieces[i]);
        Known known = known_type(j, word_at(head, j->layout->ob_type));
        if (known.kind == KIND_NONE) continue;
        met++;
        if (is_pending(j, &known, head)) pieces[left++].addr = pieces[i].addr;
    }
    j->ready = met && !left;
    if (!left) return 0;
    j->many |= left > 1;
    uintptr_t chosen = pieces[j->turn % (uint64_t)left].addr;
    j->turn /= (uint64_t)left;
    return chosen;
}

/* The future or task behind a fork that is next in turn. */
static uintptr_t child_of(Join *j, const Fork *fork, uintptr_t from) {
    uintptr_t children[CHILDREN_MAX], type, at = follow(j, fork, from);
    if (!at || !read_word(j, at + j->layout->ob_type, &type)) return 0;
    if (type == j->forks->list_type) return choose(j, children, read_list(j, at, children));
    if (type == j->forks->set_type) return choose(j, children, read_set(j, at, children));
    children[0] = at;
    return choose(j, children, 1);
}

void join_future(Join *j, uintptr_t future) {
    uint8_t head[HEAD_MAX];
    j->coroutine = j->context = 0;
    j->ready = false;
    for (int i = 0; future && i < NESTED_MAX; i++) {
        if (!memory_read(j->memory, future, head, head_size(j))) return;
        Known known = known_type(j, word_at(head, j->layout->ob_type));
        if (known.kind == KIND_TASK) {
            j->coroutine = word_at(head, known.task->coroutine);
            if (known.task->context) j->context = word_at(head, known.task->context);
            return;
        }
        future = known.fork ? child_of(j, known.fork, future) : 0;
    }
}

void join_frame(Join *j, uintptr_t code, uintptr_t frame) {
    const Fork *fork = fork_at(j->forks, code);
    j->coroutine = j->context = 0;
    j->ready = false;
    if (!fork) return;
    uintptr_t child = child_of(j, fork, frame + j->layout->frame_size);
    bool ready = j->ready;
    if (child) join_future(j, child);
    else j->ready = ready;
}
