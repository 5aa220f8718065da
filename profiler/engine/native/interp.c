#include "interp.h"

#include <string.h>

#include "word.h"

enum { GIL_WORDS_MAX = 64, GIL_PIECE = INTERP_PIECES - 1 };

static uint32_t gil_words(const Layout *l) { return l->gil_switches + 8 - l->gil_holder; }

void interp_list(const Layout *l, const Interp *interp, Piece *pieces) {
    uintptr_t addr = interp->addr, gil = interp->gil;
    pieces[0] = (Piece){.addr = addr + l->interp_next, .len = 8};
    pieces[1] = (Piece){.addr = addr + l->interp_threads, .len = 8};
    pieces[2] = (Piece){.addr = addr + l->interp_id, .len = 8};
    pieces[3] = (Piece){.addr = addr + l->interp_collecting, .len = 4};
    pieces[4] = (Piece){.addr = addr + l->interp_gil, .len = l->gil_in_runtime ? 0 : 8};
    pieces[5] = (Piece){.addr = gil + l->gil_holder, .len = gil ? gil_words(l) : 0};
}

bool interp_read(const Layout *l, Memory *memory, Interp *interp, const Piece *all,
                 uintptr_t *next) {
    Piece own[INTERP_PIECES];
    const Piece *pieces = all + interp->first_piece;
    uint8_t copy[INTERP_PIECES][GIL_WORDS_MAX] = {{0}};
    if (!interp->first_piece) interp_list(l, interp, own);
    for (int i = 0; i < INTERP_PIECES; i++) {
        if (interp->first_piece) {
            if (!pieces[i].len || (i == GIL_PIECE && !pieces[i].ok)) continue;
            if (!pieces[i].ok) return false;
            memcpy(copy[i], piece_bytes(memory, &pieces[i]), pieces[i].len);
        } else if (own[i].len && !memory_read(memory, own[i].addr, copy[i], own[i].len)) {
            if (i != GIL_PIECE) return false;
        }
    }
    *next = word_at(copy[0], 0);
    interp->head = word_at(copy[1], 0);
    interp->id = i64_at(copy[2], 0);
    interp->collecting = i32_at(copy[3], 0) != 0;
    interp->gil = l->gil_in_runtime ? l->runtime + l->interp_gil : word_at(copy[4], 0);
    interp->gil_holder = word_at(copy[5], 0);
    interp->gil_switches = word_at(copy[5], l->gil_switches - l->gil_holder);
    return true;
}
