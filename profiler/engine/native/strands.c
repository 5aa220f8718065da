#include "strands.h"

#include <stdatomic.h>

#include "word.h"

enum { LOOK_DEPTH = 1000 /* frames searched for a coroutine */ };

typedef struct {
    atomic_uint_fast64_t turn; /* odd: being written */
    _Atomic uint64_t id, owner, frame, tstate;
    _Atomic int64_t span, start_ns;
} Entry;

static const Layout *layout; /* NULL: no transaction is noted */
static Entry entries[STRANDS_MAX];
static uint16_t freed[STRANDS_MAX]; /* numbers to use again, the last one freed first */
static uint32_t freed_count;
static atomic_uint last;
static uint64_t serial, refused;
static PyObject *getcurrent; /* of the greenlet module, once that is loaded */

void strands_use(const Layout *known) {
    static Layout kept;
    kept = *known;
    layout = &kept;
}

static const uint8_t *bytes_of(uintptr_t addr) { return (const uint8_t *)addr; }

/* Coroutines, asynchronous generators, and generators that stand for coroutines. */
static bool is_coroutine(PyObject *object, uintptr_t frame) {
    if (PyCoro_CheckExact(object) || PyAsyncGen_CheckExact(object)) return true;
    uintptr_t code = word_at(bytes_of(frame), layout->frame_code) & ~(uintptr_t)7;
    return u32_at(bytes_of(code), layout->code_flags) & CO_ITERABLE_COROUTINE;
}

static uintptr_t running_frame(const PyThreadState *tstate) {
    uintptr_t frame = word_at((const uint8_t *)tstate, layout->ts_frame);
    if (layout->frame_indirect && frame) frame = word_at(bytes_of(frame), layout->cframe_frame);
    return frame;
}

/* The outermost coroutine of the running task: of the coroutines that wait for each other, and for
 * the code that runs, the one that no other coroutine waits for. */
static uintptr_t running_coroutine(const PyThreadState *tstate) {
    uintptr_t found = 0, frame = running_frame(tstate);
    for (int i = 0; frame && i < LOOK_DEPTH; i++) {
        const uint8_t *at = bytes_of(frame);
        uint8_t owner = at[layout->frame_owner];
        uintptr_t next = word_at(at, layout->frame_previous);
        if (owner == layout->owner_generator) {
            uintptr_t object = frame - layout->gen_frame;
            if (is_coroutine((PyObject *)object, frame)) found = object;
            else if (found) break;
        } else if (owner < layout->owner_shim && found) {
            break;
        }
        frame = next;
    }
    return found;
}

/* Whether the greenlet module is loaded, which it may be at any time. */
static bool has_greenlets(void) {
    static PyObject *name;
    if (getcurrent) return true;
    if (!name) name = PyUnicode_InternFromString("greenlet");
    PyObject *module = name ? PyImport_GetModule(name) : NULL;
    if (module) getcurrent = PyObject_GetAttrString(module, "getcurrent");
    Py_XDECREF(module);
    if (!getcurrent) PyErr_Clear();
    return getcurrent;
}

/* The greenlet that runs, unless it is a thread's first one, which is the thread. */
static uintptr_t running_greenlet(void) {
    if (!has_greenlets()) return 0;
    PyObject *greenlet = PyObject_CallNoArgs(getcurrent);
    PyObject *parent = greenlet ? PyObject_GetAttrString(greenlet, "parent") : NULL;
    uintptr_t found = parent && parent != Py_None ? (uintptr_t)greenlet : 0;
    Py_XDECREF(parent);
    Py_XDECREF(greenlet);
    PyErr_Clear();
    return found;
}

/* Whose code runs: a task's, by its outermost coroutine, or a greenlet's. */
static uintptr_t running_owner(const PyThreadState *tstate, bool *is_greenlet) {
    uintptr_t coroutine = running_coroutine(tstate);
    *is_greenlet = !coroutine;
    return coroutine ? coroutine : running_greenlet();
}

/* With the GIL there is one writer at a time: it needs no locked instruction. */
static uint64_t next_turn(Entry *entry) {
    return atomic_load_explicit(&entry->turn, memory_order_relaxed) + 1;
}

static void begin_write(Entry *entry) {
    atomic_store_explicit(&entry->turn, next_turn(entry), memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static void end_write(Entry *entry) {
    atomic_store_explicit(&entry->turn, next_turn(entry), memory_order_release);
}

static void put(Entry *entry, const Strand *strand) {
    begin_write(entry);
    atomic_store_explicit(&entry->id, strand->id, memory_order_relaxed);
    atomic_store_explicit(&entry->owner, strand->owner, memory_order_relaxed);
    atomic_store_explicit(&entry->frame, strand->frame, memory_order_relaxed);
    atomic_store_explicit(&entry->tstate, strand->tstate, memory_order_relaxed);
    atomic_store_explicit(&entry->span, strand->span, memory_order_relaxed);
    atomic_store_explicit(&entry->start_ns, strand->start_ns, memory_order_relaxed);
    end_write(entry);
}

StrandId strands_open(int64_t span, int64_t start_ns) {
    /* Interpreters with a GIL of their own could be here at the same time. */
    if (!layout || PyInterpreterState_Get() != PyInterpreterState_Main()) return 0;
    const PyThreadState *tstate = PyThreadState_Get();
    bool is_greenlet;
    uintptr_t owner = running_owner(tstate, &is_greenlet);
    if (!owner) return 0;
    uint32_t number = freed_count ? freed[--freed_count] : 0;
    if (!number) {
        number = atomic_load_explicit(&last, memory_order_relaxed) + 1;
        if (number >= STRANDS_MAX) {
            refused++;
            return 0;
        }
        atomic_store_explicit(&last, number, memory_order_release);
    }
    Strand strand = {.id = ++serial * STRANDS_MAX + number, .owner = owner,
                     .frame = is_greenlet ? running_frame(tstate) : 0,
                     .tstate = (uintptr_t)tstate, .span = span, .start_ns = start_ns};
    put(&entries[number], &strand);
    return strand.id;
}

void strands_enter(StrandId id, int64_t span) {
    Entry *entry = &entries[strand_number(id)];
    if (!id || atomic_load_explicit(&entry->id, memory_order_relaxed) != id) return;
    const PyThreadState *tstate = PyThreadState_Get();
    bool is_greenlet;
    uintptr_t owner = running_owner(tstate, &is_greenlet);
    if (owner != atomic_load_explicit(&entry->owner, memory_order_relaxed)) return;
    begin_write(entry);
    atomic_store_explicit(&entry->tstate, (uintptr_t)tstate, memory_order_relaxed);
    atomic_store_explicit(&entry->span, span, memory_order_relaxed);
    end_write(entry);
}

void strands_leave(StrandId id, int64_t span, int64_t now) {
    Entry *entry = &entries[strand_number(id)];
    if (!id || atomic_load_explicit(&entry->id, memory_order_relaxed) != id) return;
    if (atomic_load_explicit(&entry->span, memory_order_relaxed) != span) return;
    begin_write(entry);
    atomic_store_explicit(&entry->span, now, memory_order_relaxed);
    end_write(entry);
}

void strands_close(StrandId id) {
    uint32_t number = strand_number(id);
    Entry *entry = &entries[number];
    if (!id || atomic_load_explicit(&entry->id, memory_order_relaxed) != id) return;
    put(entry, &(Strand){0});
    freed[freed_count++] = (uint16_t)number;
    if (freed_count == atomic_load_explicit(&last, memory_order_relaxed)) { /* all are free */
        freed_count = 0;
        atomic_store_explicit(&last, 0, memory_order_relaxed);
    }
}

StrandId strands_latest(void) { return (serial + 1) * STRANDS_MAX; }

uint64_t strands_refused(void) { return refused; }

uint32_t strands_last(void) { return atomic_load_explicit(&last, memory_order_acquire); }

bool strands_get(uint32_t number, Strand *strand) {
    Entry *entry = &entries[number];
    uint64_t turn = atomic_load_explicit(&entry->turn, memory_order_acquire);
    if (turn & 1) return false;
    strand->id = atomic_load_explicit(&entry->id, memory_order_relaxed);
    strand->owner = atomic_load_explicit(&entry->owner, memory_order_relaxed);
    strand->frame = atomic_load_explicit(&entry->frame, memory_order_relaxed);
    strand->tstate = atomic_load_explicit(&entry->tstate, memory_order_relaxed);
    strand->span = atomic_load_explicit(&entry->span, memory_order_relaxed);
    strand->start_ns = atomic_load_explicit(&entry->start_ns, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return strand->id && atomic_load_explicit(&entry->turn, memory_order_relaxed) == turn;
}
