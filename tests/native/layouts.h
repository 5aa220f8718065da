/* Three made-up interpreters, each with the peculiarities of a real one and offsets of its own: the
 * readers must go by the numbers they are given. */
#ifndef FUZZ_LAYOUTS_H
#define FUZZ_LAYOUTS_H

#include "image.h"
#include "layout.h"

/* The saved stack pointer is a number, the frame hangs on a structure of the C stack, and the
 * runtime says who holds the GIL. */
static const Layout LIKE_311 = {
    .runtime = IMAGE_RUNTIME, .runtime_interpreters = 16, .runtime_current = 64,
    .interp_next = 0, .interp_threads = 8, .interp_id = 16, .interp_collecting = 28,
    .interp_gil = 96, .gil_in_runtime = true, .gil_size = 80,
    .ts_size = 256, .ts_head = 64, .ts_rest = 152, .ts_rest_size = 56,
    .ts_next = 8, .ts_interp = 16, .ts_frame = 56, .frame_indirect = true, .cframe_frame = 8,
    .ts_thread_id = 152, .ts_native_id = 160, .ts_context = 200, .ts_chunk = 240, .ts_top = 248,
    .chunk_previous = 0, .chunk_size = 8, .chunk_top = 16, .chunk_data = 24,
    .frame_size = 72, .frame_code = 32, .frame_previous = 48, .frame_instr = 56,
    .frame_stack = 64, .frame_owner = 69, .frame_entry = 68,
    .owner_generator = 1, .owner_shim = 3, .instr_is_before = true,
    .gen_state_back = 1, .gen_executing = 0,
    .gen_created = -2, .gen_suspended_first = -1, .gen_suspended_last = -1, .gen_frame = 40,
    .gen_types = {IMAGE_CODE_TYPE + 8, IMAGE_CODE_TYPE, IMAGE_CODE_TYPE + 16},
    .code_type = IMAGE_CODE_TYPE, .code_slice = 144, .code_units = 16, .code_consts = 24,
    .code_names = 32, .code_flags = 48, .code_firstline = 52, .code_nlocalsplus = 56,
    .code_stacksize = 60, .frame_words = 9, .code_traceable = 128, .code_filename = 96,
    .code_qualname = 104, .code_linetable = 120, .code_bytes = 144,
    .ob_type = 8, .ob_size = 16, .type_name = 24, .bytes_size = 16, .bytes_data = 32,
    .text_length = 16, .text_hash = 24, .text_state = 32, .text_kind = {0x1c, 2},
    .text_compact = {0x20, 5}, .text_ascii = {0x40, 6}, .text_ascii_data = 48,
    .text_other_data = 72,
    .context_vars = 24, .hamt_root = 16, .node_bitmap = 24, .node_bitmap_array = 32,
    .node_array = 16,
};

/* The saved stack pointer is a pointer, the frame is found at once, the thread says whether it
 * holds the GIL, C's entry points are frames without code, and code objects have versions. */
static const Layout LIKE_314 = {
    .runtime = IMAGE_RUNTIME, .runtime_interpreters = 40,
    .interp_next = 24, .interp_threads = 16, .interp_id = 0, .interp_collecting = 12,
    .interp_gil = 32, .gil_size = 96,
    .ts_size = 304, .ts_head = 80, .ts_rest = 168, .ts_rest_size = 80,
    .ts_next = 8, .ts_interp = 16, .ts_frame = 72, .ts_status = 40, .status_mask = ~0u,
    .ts_thread_id = 168, .ts_native_id = 176, .ts_context = 240, .ts_chunk = 272, .ts_top = 280,
    .chunk_previous = 0, .chunk_size = 8, .chunk_top = 16, .chunk_data = 24,
    .frame_size = 88, .frame_code = 0, .frame_previous = 8, .frame_instr = 56,
    .frame_stack = 64, .stack_is_pointer = true, .frame_owner = 74,
    .owner_generator = 1, .owner_shim = 3, .gen_state_back = 5, .gen_executing = -1,
    .gen_created = 0, .gen_suspended_first = 1, .gen_suspended_last = 3, .gen_awaits_first = 2,
    .gen_knows_await = true, .gen_frame = 48,
    .gen_types = {IMAGE_CODE_TYPE + 8, IMAGE_CODE_TYPE, IMAGE_CODE_TYPE + 16},
    .code_type = IMAGE_CODE_TYPE, .code_slice = 208, .code_units = 16, .code_consts = 24,
    .code_names = 32, .code_flags = 48, .code_firstline = 68, .code_framesize = 76,
    .code_version = 88, .code_traceable = 184, .code_filename = 112, .code_qualname = 128,
    .code_linetable = 136, .code_bytes = 208,
    .ob_type = 8, .ob_size = 16, .type_name = 24, .bytes_size = 16, .bytes_data = 32,
    .text_length = 16, .text_hash = 24, .text_state = 32, .text_kind = {0xe, 1},
    .text_compact = {0x10, 4}, .text_ascii = {0x20, 5}, .text_ascii_data = 40,
    .text_other_data = 56,
    .context_vars = 40, .hamt_root = 24, .node_bitmap = 24, .node_bitmap_array = 32,
    .node_array = 16,
};

/* As that one; and the thread says which frame is below all others, and whether it waits. */
static Layout like_315(void) {
    Layout layout = LIKE_314;
    layout.ts_gil_requested = 44;
    layout.ts_base_frame = 288;
    return layout;
}

#endif
