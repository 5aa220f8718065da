"""What the instruction at the leaf of a stack can be waiting for: a guess at the thread's state.

An inference, not an observation: Python cannot see another thread's scheduling state. It knows
how much CPU time a thread used and at which instruction it stands, and that the interpreter
gives the GIL away only inside calls into C and at a few instructions that check for it.
"""

from __future__ import annotations

import opcode
from types import CodeType

from flamespan.profiler.model import State

CALLS = 0
"""May run C code, which may block or let go of the GIL: calls, but also operators, ``with``, …"""

CHECKS = 1
"""Makes no call, but lets another thread have the GIL: function entry, end of a loop's round."""

OTHER = 2
"""Makes no call that could block."""

STATE_RULE = "cpu-clock+await"

_CHECKS = {
    code
    for name, code in opcode.opmap.items()
    if name.removeprefix("INSTRUMENTED_").startswith(("RESUME", "JUMP_BACKWARD"))
    or "JUMP_BACKWARD_IF" in name
    if "NO_INTERRUPT" not in name
}
_QUIET = {
    code
    for name, code in opcode.opmap.items()
    if name.startswith(("LOAD_FAST", "STORE_FAST", "LOAD_CONST", "POP_TOP", "COPY", "SWAP"))
    or name in ("NOP", "CACHE", "JUMP_FORWARD", "PUSH_NULL", "RETURN_VALUE", "RETURN_CONST")
}
_RUNNING, _GIL_WAIT = int(State.RUNNING), int(State.GIL_WAIT)
_IDLE, _UNKNOWN = int(State.IDLE), int(State.UNKNOWN)


def leaf_kind(code: CodeType, lasti: int) -> int:
    """CALLS, CHECKS or OTHER for the instruction at offset ``lasti``."""
    instructions = code.co_code
    if not 0 <= lasti < len(instructions):
        return CHECKS  # a frame that has not begun: entering a function checks for the GIL
    operation = instructions[lasti]
    if operation in _CHECKS:
        return CHECKS
    return OTHER if operation in _QUIET else CALLS


def state_of(leaf: int, wall: int, cpu: int, has_clock: bool) -> int:
    """What a thread probably did in the last ``wall`` ticks, of which it used ``cpu``.

    It ran if it used a quarter of the time. Less than that: at an instruction that makes no
    call it can only have been waiting for the GIL; inside a call it was probably blocked.
    """
    if not has_clock:
        return _UNKNOWN
    if cpu and (leaf == OTHER or cpu * 4 >= wall):
        return _RUNNING
    return _IDLE if leaf == CALLS else _GIL_WAIT
