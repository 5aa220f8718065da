/* What is remembered of code objects: by address, checked at each sight, since addresses are
 * used again for other code. */
#ifndef FLAMESPAN_CODE_H
#define FLAMESPAN_CODE_H

#include "layout.h"
#include "memory.h"
#include "names.h"
#include "text.h"

enum {
    LAUNCH_NONE,
    LAUNCH_OURS,
    LAUNCH_MACHINERY
};

typedef struct Code {
    uintptr_t addr;      /* 0: free */
    uint64_t print;      /* fingerprint of the object's head */
    uintptr_t qualname;  /* where its name lies, and that string's hash (3.11: no version) */
    int64_t name_hash;
    uint32_t serial;     /* a number no other sight of code has; 0: unreadable */
    uint32_t function;   /* its number in the file; 0: not named there yet, from: */
    char *names;         /* name, then file */
    uint32_t name_len, file_len;
    int32_t first_line;
    int32_t traceable; /* unit before which a frame is still being made */
    uint32_t units;       /* instructions, in two-byte units */
    uint32_t frame_bytes; /* of a frame that runs it */
    uint32_t checked;     /* the walk that checked it last */
    uint8_t launch;
    bool gives_way; /* asyncio.sleep(0): suspended there, a task waits for its loop only */
} Code;

typedef struct {
    const Layout *layout;
    Memory *memory;
    Names *names;
    Code *rows; /* open addressing by address */
    uint32_t used;
    uint32_t serial;
    uint32_t walk; /* number of the walk under way */
    Table places;  /* (serial, instruction) -> frame number, and HANDS_OVER */
    const char *ours;      /* file whose frames `flamespan run` puts below the program */
    const char *machinery; /* files beside it, one a line */
    Text name, file;
    uint8_t *line_table;
} Codes;

bool codes_init(Codes *codes, const Layout *layout, Memory *memory, Names *names);
void codes_clear(Codes *codes);
void codes_free(Codes *codes);

/* Begin a walk: codes checked in earlier ones are to be checked again. */
void codes_begin(Codes *codes);

/* What is known of the code at `addr`, unchecked; NULL: nothing. */
Code *codes_known(Codes *codes, uintptr_t addr);

/* Check, and where needed read, the code objects at `addrs`. Returns how many are not what was
 * remembered (or are new); those whose `serial` is 0 cannot be read. */
int codes_check(Codes *codes, const uintptr_t *addrs, int count);

/* Two pieces to copy, to see whether known code is still what it was; false: it is not known. */
bool codes_list(Codes *codes, uintptr_t addr, Piece *pieces);

/* Those two have been copied: code that is what it was need not be checked again in this walk. */
void codes_take(Codes *codes, const Piece *pieces);

/* The fingerprint of a code object that lives, read in place. Needs the GIL. */
uint64_t codes_print(const Layout *layout, const void *code);

/* Which instruction of `code` lies at `instr`, in units; false: none does. */
bool codes_unit(const Codes *codes, const Code *code, uintptr_t instr, int32_t *unit);

/* The frame number of instruction `unit` of `code`; 0: memory ran out. */
uint32_t codes_place(Codes *codes, Code *code, int32_t unit);

/* Whether a thread that stands at that instruction can wait for nothing but the GIL: handover.h. */
bool codes_hands_over(Codes *codes, const Code *code, int32_t unit);

#endif
