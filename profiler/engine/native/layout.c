/* The one file that includes CPython's internal headers: offsets of the version it is built for.
 *
 * 3.13 and later publish most offsets at run time in _PyRuntime.debug_offsets, so that a patch
 * release may move things. What is not published there, and everything on 3.11 and 3.12, comes
 * from the headers. The engine proves all of it on a living thread before it is used. */
#define Py_BUILD_CORE 1
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include <Python.h>

#if defined(Py_GIL_DISABLED) || defined(PYPY_VERSION) || PY_VERSION_HEX < 0x030b0000 || \
    PY_VERSION_HEX >= 0x03100000
#define UNKNOWN_INTERPRETER 1
#else
#include <internal/pycore_context.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_gil.h>
#include <internal/pycore_hamt.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe_structs.h>
#endif
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <string.h>

#include "layout.h"

#ifdef UNKNOWN_INTERPRETER

const char *layout_find(Layout *layout) {
    memset(layout, 0, sizeof *layout);
#if defined(Py_GIL_DISABLED)
    return "free-threaded Python is not proven yet";
#else
    return "this interpreter is not known";
#endif
}

#else

#define OFFSET(type, field) ((uint32_t)offsetof(type, field))
/* A bit field has no offset: set all of its bits in a zeroed object and see which they are. */
#define FIND_BITS(bits, type, word, field)                       \
    do {                                                         \
        type probe;                                              \
        memset(&probe, 0, sizeof probe);                         \
        probe.field = ~probe.field;                              \
        (bits) = bits_of((const char *)&probe + (word));         \
    } while (0)

static Bits bits_of(const void *at) {
    Bits bits = {0, 0};
    memcpy(&bits.mask, at, sizeof bits.mask);
    while (bits.mask && !(bits.mask >> bits.shift & 1)) bits.shift++;
    return bits;
}

static void find_objects(Layout *l) {
    l->ob_type = OFFSET(PyObject, ob_type);
    l->ob_size = OFFSET(PyVarObject, ob_size);
    l->type_name = OFFSET(PyTypeObject, tp_name);
    l->bytes_size = l->ob_size;
    l->bytes_data = OFFSET(PyBytesObject, ob_sval);
    l->text_length = OFFSET(PyASCIIObject, length);
    l->text_hash = OFFSET(PyASCIIObject, hash);
    l->text_state = OFFSET(PyASCIIObject, state);
    FIND_BITS(l->text_kind, PyASCIIObject, l->text_state, state.kind);
    FIND_BITS(l->text_compact, PyASCIIObject, l->text_state, state.compact);
    FIND_BITS(l->text_ascii, PyASCIIObject, l->text_state, state.ascii);
    l->text_ascii_data = sizeof(PyASCIIObject);
    l->text_other_data = sizeof(PyCompactUnicodeObject);
    l->context_vars = OFFSET(PyContext, ctx_vars);
    l->hamt_root = OFFSET(PyHamtObject, h_root);
    /* The nodes of the tree are private to hamt.c: head, bitmap, children; head, children. */
    l->node_bitmap = sizeof(PyVarObject);
    l->node_bitmap_array = sizeof(PyVarObject) + sizeof(void *);
    l->node_array = sizeof(PyObject);
}

static void find_code(Layout *l) {
    l->code_type = (uintptr_t)&PyCode_Type;
    l->code_units = l->ob_size;
    l->code_consts = OFFSET(PyCodeObject, co_consts);
    l->code_names = OFFSET(PyCodeObject, co_names);
    l->code_flags = OFFSET(PyCodeObject, co_flags);
    l->code_firstline = OFFSET(PyCodeObject, co_firstlineno);
    l->code_filename = OFFSET(PyCodeObject, co_filename);
    l->code_qualname = OFFSET(PyCodeObject, co_qualname);
    l->code_linetable = OFFSET(PyCodeObject, co_linetable);
    l->code_bytes = OFFSET(PyCodeObject, co_code_adaptive);
    l->code_traceable = OFFSET(PyCodeObject, _co_firsttraceable);
    l->code_nlocalsplus = OFFSET(PyCodeObject, co_nlocalsplus);
    l->code_stacksize = OFFSET(PyCodeObject, co_stacksize);
    l->frame_words = OFFSET(_PyInterpreterFrame, localsplus) / sizeof(void *);
#if PY_VERSION_HEX >= 0x030c0000
    l->code_framesize = OFFSET(PyCodeObject, co_framesize);
    l->code_version = OFFSET(PyCodeObject, co_version);
#endif
}

static void find_generators(Layout *l) {
    l->gen_executing = FRAME_EXECUTING;
    l->gen_created = FRAME_CREATED;
    l->gen_suspended_first = FRAME_SUSPENDED;
    l->gen_suspended_last = FRAME_SUSPENDED;
#if PY_VERSION_HEX >= 0x030f0000
    l->gen_suspended_last = FRAME_SUSPENDED_YIELD_FROM_LOCKED;
#elif PY_VERSION_HEX >= 0x030d0000
    l->gen_suspended_last = FRAME_SUSPENDED_YIELD_FROM;
#endif
#if PY_VERSION_HEX >= 0x030d0000
    l->gen_awaits_first = FRAME_SUSPENDED_YIELD_FROM;
    l->gen_knows_await = true;
#endif
    l->gen_frame = OFFSET(PyGenObject, gi_iframe);
    l->gen_types[0] = (uintptr_t)&PyGen_Type;
    l->gen_types[1] = (uintptr_t)&PyCoro_Type;
    l->gen_types[2] = (uintptr_t)&PyAsyncGen_Type;
    l->gen_state_back = OFFSET(PyGenObject, gi_iframe) - OFFSET(PyGenObject, gi_frame_state);
}

static void find_frames(Layout *l) {
    l->chunk_previous = OFFSET(_PyStackChunk, previous);
    l->chunk_size = OFFSET(_PyStackChunk, size);
    l->chunk_top = OFFSET(_PyStackChunk, top);
    l->chunk_data = OFFSET(_PyStackChunk, data);
    l->frame_size = OFFSET(_PyInterpreterFrame, localsplus);
    l->frame_previous = OFFSET(_PyInterpreterFrame, previous);
    l->frame_owner = OFFSET(_PyInterpreterFrame, owner);
    l->owner_generator = FRAME_OWNED_BY_GENERATOR;
    l->owner_shim = 3; /* on the C stack (3.12, 3.13), of the interpreter (3.14 on); none on 3.11 */
#if PY_VERSION_HEX >= 0x030d0000
    l->frame_code = OFFSET(_PyInterpreterFrame, f_executable);
    l->frame_instr = OFFSET(_PyInterpreterFrame, instr_ptr);
#else
    l->frame_code = OFFSET(_PyInterpreterFrame, f_code);
    l->frame_instr = OFFSET(_PyInterpreterFrame, prev_instr);
    l->instr_is_before = true;
#endif
#if PY_VERSION_HEX >= 0x030e0000
    l->frame_stack = OFFSET(_PyInterpreterFrame, stackpointer);
    l->stack_is_pointer = true;
#else
    l->frame_stack = OFFSET(_PyInterpreterFrame, stacktop);
#endif
#if PY_VERSION_HEX < 0x030c0000
    l->frame_entry = OFFSET(_PyInterpreterFrame, is_entry);
#endif
}

static void find_threads(Layout *l) {
    l->ts_next = OFFSET(PyThreadState, next);
    l->ts_interp = OFFSET(PyThreadState, interp);
    l->ts_thread_id = OFFSET(PyThreadState, thread_id);
    l->ts_native_id = OFFSET(PyThreadState, native_thread_id);
    l->ts_context = OFFSET(PyThreadState, context);
    l->ts_chunk = OFFSET(PyThreadState, datastack_chunk);
    l->ts_top = OFFSET(PyThreadState, datastack_top);
#if PY_VERSION_HEX >= 0x030d0000
    l->ts_frame = OFFSET(PyThreadState, current_frame);
#else
    l->ts_frame = OFFSET(PyThreadState, cframe);
    l->frame_indirect = true;
    l->cframe_frame = OFFSET(_PyCFrame, current_frame);
#endif
#if PY_VERSION_HEX >= 0x030e0000
    l->ts_status = OFFSET(PyThreadState, holds_gil);
    l->status_mask = ~0u;
#elif PY_VERSION_HEX >= 0x030c0000
    l->ts_status = OFFSET(PyThreadState, _status);
    Bits bits;
#if PY_VERSION_HEX >= 0x030d0000
    FIND_BITS(bits, PyThreadState, l->ts_status, _status.holds_gil);
#else
    FIND_BITS(bits, PyThreadState, l->ts_status, _status.active);
#endif
    l->status_mask = bits.mask;
#endif
#if PY_VERSION_HEX >= 0x030f0000
    l->ts_gil_requested = OFFSET(PyThreadState, gil_requested);
    l->ts_base_frame = OFFSET(PyThreadState, base_frame);
#endif
    l->ts_size = l->ts_top + sizeof(void *);
}

static void find_interpreters(Layout *l) {
    l->runtime = (uintptr_t)&_PyRuntime;
    l->runtime_interpreters = OFFSET(_PyRuntimeState, interpreters.head);
    l->interp_next = OFFSET(PyInterpreterState, next);
    l->interp_threads = OFFSET(PyInterpreterState, threads.head);
    l->interp_id = OFFSET(PyInterpreterState, id);
    l->interp_collecting = OFFSET(PyInterpreterState, gc.collecting);
    l->gil_size = sizeof(struct _gil_runtime_state);
    l->gil_holder = OFFSET(struct _gil_runtime_state, last_holder);
    l->gil_switches = OFFSET(struct _gil_runtime_state, switch_number);
#if PY_VERSION_HEX >= 0x030c0000
    l->interp_gil = OFFSET(PyInterpreterState, ceval.gil);
#else
    l->runtime_current = OFFSET(_PyRuntimeState, gilstate.tstate_current);
    l->interp_gil = OFFSET(_PyRuntimeState, ceval.gil);
    l->gil_in_runtime = true;
#endif
}

#if PY_VERSION_HEX >= 0x030d0000
static void take_published_frames(Layout *l, const _Py_DebugOffsets *d) {
    l->frame_previous = (uint32_t)d->interpreter_frame.previous;
    l->frame_code = (uint32_t)d->interpreter_frame.executable;
    l->frame_instr = (uint32_t)d->interpreter_frame.instr_ptr;
    l->frame_size = (uint32_t)d->interpreter_frame.localsplus;
    l->frame_owner = (uint32_t)d->interpreter_frame.owner;
#if PY_VERSION_HEX >= 0x030e0000
    l->frame_stack = (uint32_t)d->interpreter_frame.stackpointer;
#endif
    l->code_filename = (uint32_t)d->code_object.filename;
    l->code_qualname = (uint32_t)d->code_object.qualname;
    l->code_linetable = (uint32_t)d->code_object.linetable;
    l->code_firstline = (uint32_t)d->code_object.firstlineno;
    l->code_bytes = (uint32_t)d->code_object.co_code_adaptive;
}

/* Take what the running interpreter publishes; what lies beside it has moved by as much. */
static const char *take_published(Layout *l) {
    const _Py_DebugOffsets *d = &_PyRuntime.debug_offsets;
    if (memcmp(d->cookie, "xdebugpy", 8) != 0 || d->version >> 16 != PY_VERSION_HEX >> 16)
        return "the interpreter's published offsets are of another version";
    if (d->free_threaded) return "free-threaded Python is not proven yet";
    l->runtime_interpreters = (uint32_t)d->runtime_state.interpreters_head;
    l->interp_next = (uint32_t)d->interpreter_state.next;
    l->interp_threads = (uint32_t)d->interpreter_state.threads_head;
    l->interp_id = (uint32_t)d->interpreter_state.id;
    l->interp_collecting = (uint32_t)(d->interpreter_state.gc + d->gc.collecting);
    l->interp_gil = (uint32_t)d->interpreter_state.ceval_gil;
    l->ts_next = (uint32_t)d->thread_state.next;
    l->ts_interp = (uint32_t)d->thread_state.interp;
    l->ts_frame = (uint32_t)d->thread_state.current_frame;
    l->ts_thread_id = (uint32_t)d->thread_state.thread_id;
    l->ts_native_id = (uint32_t)d->thread_state.native_thread_id;
    uint32_t moved = (uint32_t)d->thread_state.datastack_chunk - l->ts_chunk;
    l->ts_chunk += moved;
    l->ts_top += moved;
    l->ts_context += moved;
    l->ts_size += moved;
#if PY_VERSION_HEX >= 0x030f0000
    l->ts_status = (uint32_t)d->thread_state.holds_gil;
    l->ts_gil_requested = (uint32_t)d->thread_state.gil_requested;
    l->ts_base_frame = (uint32_t)d->thread_state.base_frame;
#elif PY_VERSION_HEX < 0x030e0000
    l->ts_status = (uint32_t)d->thread_state.status;
#endif
    take_published_frames(l, d);
    return NULL;
}
#endif

static uint32_t most(const uint32_t *offsets, int count) {
    uint32_t found = 0;
    for (int i = 0; i < count; i++)
        if (offsets[i] > found) found = offsets[i];
    return found;
}

/* A thread state is several cache lines: of a thread that is parked only the first are copied. */
static void find_parts(Layout *l) {
    uint32_t head[] = {l->ts_next, l->ts_interp, l->ts_frame, l->ts_status, l->ts_gil_requested};
    uint32_t rest[] = {l->ts_thread_id, l->ts_native_id, l->ts_context};
    l->ts_head = most(head, 5) + sizeof(void *);
    l->ts_rest = rest[0];
    for (int i = 1; i < 3; i++)
        if (rest[i] < l->ts_rest) l->ts_rest = rest[i];
    l->ts_rest_size = most(rest, 3) + sizeof(void *) - l->ts_rest;
}

const char *layout_find(Layout *layout) {
    memset(layout, 0, sizeof *layout);
    find_objects(layout);
    find_code(layout);
    find_generators(layout);
    find_frames(layout);
    find_threads(layout);
    find_interpreters(layout);
    handover_find(layout->handovers);
#if PY_VERSION_HEX >= 0x030d0000
    const char *trouble = take_published(layout);
    if (trouble) return trouble;
#endif
    find_parts(layout);
    layout->code_slice = layout->code_bytes;
    uint32_t last = layout->code_version ? layout->code_version : layout->code_linetable;
    layout->code_check = last + (uint32_t)sizeof(void *);
    return NULL;
}

#endif
