/* Where things lie inside the interpreter's structures, as plain numbers.
 *
 * Filled once by layout.c, the only file that sees CPython's internal headers. Everything else
 * works on copies of foreign memory and on these offsets. */
#ifndef FLAMESPAN_LAYOUT_H
#define FLAMESPAN_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handover.h"

typedef struct {
    /* Where a bit field lies in a 32-bit word. */
    uint32_t mask;
    uint32_t shift;
} Bits;

typedef struct {
    uintptr_t runtime;             /* address of _PyRuntime */
    uint32_t runtime_interpreters; /* -> first interpreter */
    uint32_t runtime_current;      /* -> thread state that holds the GIL (3.11 only, else 0) */

    uint32_t interp_next;
    uint32_t interp_threads;
    uint32_t interp_id;
    uint32_t interp_collecting; /* int: a collection is running */
    uint32_t interp_gil;        /* -> GIL structure; 3.11: offset in the runtime, no pointer */
    bool gil_in_runtime;
    uint32_t gil_size;
    uint32_t gil_holder, gil_switches; /* who had it last; how often that changed */

    uint32_t ts_size; /* bytes to copy of a thread state, from offset 0 */
    uint32_t ts_head; /* of them, what tells whether it moved */
    uint32_t ts_rest, ts_rest_size; /* who it is, and its context */
    uint32_t ts_next;
    uint32_t ts_interp;
    uint32_t ts_frame; /* -> running frame, or -> _PyCFrame that points to it */
    bool frame_indirect;
    uint32_t cframe_frame;
    uint32_t ts_status; /* 32-bit word with a bit for "holds the GIL"; unused with runtime_current */
    uint32_t status_mask;
    uint32_t ts_gil_requested; /* int: waits for the GIL (3.15, else 0) */
    uint32_t ts_thread_id;
    uint32_t ts_native_id;
    uint32_t ts_context;
    uint32_t ts_chunk;
    uint32_t ts_top;
    uint32_t ts_base_frame; /* -> frame below all others (3.15, else 0) */

    uint32_t chunk_previous, chunk_size, chunk_top, chunk_data;

    uint32_t frame_size; /* bytes of a frame before its locals */
    uint32_t frame_code;
    uint32_t frame_previous;
    uint32_t frame_instr;
    uint32_t frame_stack; /* saved stack pointer: int (-1: running) or pointer (0: running) */
    bool stack_is_pointer;
    uint32_t frame_owner;
    uint32_t frame_entry; /* bool: called from C (3.11, else 0) */
    uint8_t owner_generator;
    uint8_t owner_shim; /* owners from here on are entry points of C, without code */
    bool instr_is_before; /* the saved pointer is one unit before the next instruction */

    uint32_t gen_state_back; /* bytes from a generator's frame state back from its frame */
    int8_t gen_executing;
    int8_t gen_created; /* state of one that has not begun */
    int8_t gen_suspended_first, gen_suspended_last; /* states of one that is suspended */
    int8_t gen_awaits_first; /* to gen_suspended_last: at an await or yield from */
    bool gen_knows_await;    /* 3.13 on: its state tells the two apart */
    uint32_t gen_frame;      /* from a generator to its frame */
    uintptr_t gen_types[3];  /* generator, coroutine, asynchronous generator */

    uintptr_t code_type;
    uint32_t code_slice; /* bytes to copy of a code object, from offset 0 */
    uint32_t code_check; /* of them, what tells it from another at the same address */
    uint32_t code_units, code_consts, code_names, code_flags, code_firstline;
    uint32_t code_framesize;           /* int: words of a frame; 3.11: 0, add the next two */
    uint32_t code_nlocalsplus, code_stacksize;
    uint32_t frame_words;              /* words of a frame before its locals (3.11) */
    uint32_t code_version;             /* uint32, 3.12 on; else 0 */
    uint32_t code_traceable;           /* int: a frame before that unit is not complete yet */
    uint32_t code_filename, code_qualname, code_linetable;
    uint32_t code_bytes; /* first instruction */
    uint8_t handovers[HANDOVER_BYTES]; /* opcodes that wait for nothing but the GIL: handover.h */

    uint32_t ob_type, ob_size;
    uint32_t type_name;
    uint32_t bytes_size, bytes_data;
    uint32_t text_length, text_hash, text_state;
    Bits text_kind, text_compact, text_ascii;
    uint32_t text_ascii_data, text_other_data;

    uint32_t context_vars, hamt_root;
    uint32_t node_bitmap, node_bitmap_array, node_array;
} Layout;

/* Fill `layout` for the interpreter that runs. Returns NULL, or why that cannot be. Needs the GIL. */
const char *layout_find(Layout *layout);

#endif
