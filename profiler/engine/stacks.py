"""Walks frames and numbers stacks: the same stack gets the same id, told only once.

No frame is kept after a walk, and no code object: both may hold large things alive. What is
remembered of a code object goes with it (its address may then name another one).
"""

from __future__ import annotations

import weakref
from collections import deque
from itertools import count
from types import CodeType, FrameType
from typing import NamedTuple

from flamespan.profiler import launch
from flamespan.profiler.engine.leaf import OTHER, leaf_kind
from flamespan.profiler.model import Definitions, Flag, Function

MAX_WALK = 20_000
"""Frames looked at per stack: a walk holds the GIL, so it must end."""

MAX_SEEN = 4_000
"""Whole stacks remembered by their addresses (about 2 kB each at depth 30)."""

_LAUNCH_DEPTH = 12
"""Frames from the root among which those of ``flamespan run`` are looked for."""

_TRUNCATED, _TORN = int(Flag.TRUNCATED), int(Flag.TORN)
_Places = tuple[tuple[int, ...], tuple[int, ...]]


class Seen(NamedTuple):
    """A numbered stack: its id, what its leaf instruction does (``leaf``), flags of the walk."""

    stack: int
    leaf: int
    flags: int


class StackNumbers:
    """Numbers functions, frames and stacks of one file, and keeps what is not told yet.

    Used by one thread at a time; the engine's lock sees to that.
    """

    def __init__(self, max_depth: tuple[int, int]) -> None:
        self._leaf_depth, self._root_depth = max_depth
        self._dead: list[int] = []
        self._codes: dict[int, weakref.ref[CodeType]] = {}
        self.restart()

    def restart(self) -> None:
        """Forget all ids: the next stack is number 1 again."""
        self._seen: dict[tuple[_Places, _Places, int], Seen] = {}
        self._places: dict[tuple[int, int], tuple[int, int]] = {}
        self._functions: dict[Function, int] = {}
        self._frames: dict[int, int] = {}
        self._nodes: dict[int, int] = {}
        self._new = Definitions()

    def __len__(self) -> int:
        """How many stacks there are."""
        return len(self._nodes)

    def take_new(self) -> Definitions:
        """Definitions since the last call."""
        new, self._new = (
            self._new,
            Definitions(
                first_function=len(self._functions) + 1,
                first_frame=len(self._frames) + 1,
                first_stack=len(self._nodes) + 1,
            ),
        )
        return new

    def of(self, frame: FrameType) -> Seen:
        """The stack whose leaf is ``frame``."""
        codes: list[CodeType] = []
        lines: list[int] = []
        now: FrameType | None = frame
        first = frame.f_lasti
        left = self._leaf_depth
        while now is not None and left:
            codes.append(now.f_code)
            lines.append(now.f_lasti)
            now = now.f_back
            left -= 1
        root_codes: list[CodeType] = []
        root_lines: list[int] = []
        omitted = 0
        if now is not None:
            omitted = self._walk_on(now, root_codes, root_lines)
        moved = frame.f_lasti != first
        if self._dead:
            self._bury()
        key = (
            (tuple(map(id, codes)), tuple(lines)),
            (tuple(map(id, root_codes)), tuple(root_lines)),
            omitted,
        )
        seen = self._seen.get(key)
        if seen is None:
            seen = self._number(codes, lines, root_codes, root_lines, omitted)
            self._remember(key, seen)
        return seen._replace(flags=seen.flags | _TORN) if moved else seen

    def of_codes(self, codes: list[CodeType], lines: list[int]) -> Seen:
        """The stack of these frames and instructions, root first."""
        if self._dead:
            self._bury()
        codes, lines = codes[::-1], lines[::-1]
        key = ((tuple(map(id, codes)), tuple(lines)), ((), ()), 0)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._remember(key, self._number(codes, lines, [], [], 0))
        return seen

    def _remember(self, key: tuple[_Places, _Places, int], seen: Seen) -> Seen:
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen[key] = seen
        return seen

    def _walk_on(self, now: FrameType | None, codes: list[CodeType], lines: list[int]) -> int:
        """Walk a deep stack to its root; keeps the frames next to it, counts those left out.

        Negative: more than that many, the root was not reached.
        """
        kept: deque[tuple[CodeType, int]] = deque(maxlen=self._root_depth)
        for walked in count():
            if now is None or walked == MAX_WALK:
                break
            kept.append((now.f_code, now.f_lasti))
            now = now.f_back
        if now is not None:
            return -walked
        for code, line in kept:
            codes.append(code)
            lines.append(line)
        return walked - len(kept)

    def _number(
        self,
        codes: list[CodeType],
        lines: list[int],
        root_codes: list[CodeType],
        root_lines: list[int],
        omitted: int,
    ) -> Seen:
        stack, flags, leaf = 0, 0, OTHER
        _strip_launch(root_codes if omitted else codes, root_lines if omitted else lines)
        for code, line in zip(reversed(root_codes), reversed(root_lines), strict=True):
            stack = self._node(stack, self._place(code, line)[0])
        if omitted:
            more = "" if omitted > 0 else "more than "
            name = f"<{more}{abs(omitted)} frames omitted>"
            stack = self._node(stack, self._frame(Function(name, "", 0), 0))
            flags = _TRUNCATED if omitted > 0 else _TRUNCATED | _TORN
        for code, line in zip(reversed(codes), reversed(lines), strict=True):
            frame, leaf = self._place(code, line)
            stack = self._node(stack, frame)
        return Seen(stack, leaf, flags)

    def _place(self, code: CodeType, lasti: int) -> tuple[int, int]:
        """The frame id of an instruction and what the instruction does."""
        address = id(code)
        key = (address, lasti)
        place = self._places.get(key)
        if place is None:
            if address not in self._codes:
                dead = self._dead

                # Runs in whichever thread drops the code object: one atomic append, no lock.
                def gone(_: object, address: int = address) -> None:
                    dead.append(address)

                self._codes[address] = weakref.ref(code, gone)
            function = Function(code.co_qualname, code.co_filename, code.co_firstlineno)
            frame = self._frame(function, line_of(code, lasti))
            place = self._places[key] = (frame, leaf_kind(code, lasti))
        return place

    def _frame(self, function: Function, line: int) -> int:
        number = self._functions.get(function)
        if number is None:
            number = self._functions[function] = len(self._functions) + 1
            self._new.functions.append(function)
        key = number << 32 | line
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = len(self._frames) + 1
            self._new.frame_function.append(number)
            self._new.frame_line.append(line)
        return frame

    def _node(self, parent: int, frame: int) -> int:
        key = parent << 32 | frame
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = len(self._nodes) + 1
            self._new.stack_parent.append(parent)
            self._new.stack_frame.append(frame)
        return node

    def _bury(self) -> None:
        """Forget what was known by the addresses of code objects that are gone."""
        dead = set()
        while self._dead:
            dead.add(self._dead.pop())
        for address in dead:
            self._codes.pop(address, None)
        self._places = {key: place for key, place in self._places.items() if key[0] not in dead}
        self._seen.clear()


def _strip_launch(codes: list[CodeType], lines: list[int]) -> None:
    """Take out the root frames by which ``flamespan run`` started the program."""
    for place in range(len(codes) - 1, -1, -1):
        if codes[place].co_filename == launch.OURS:
            first = place
            while first and codes[first - 1].co_filename in launch.MACHINERY:
                first -= 1
            del codes[first:], lines[first:]
            return
        if place < len(codes) - _LAUNCH_DEPTH:
            return


def line_of(code: CodeType, lasti: int) -> int:
    """The line that ``frame.f_lineno`` would say; 0 where an instruction belongs to no line."""
    if lasti < 0:
        return code.co_firstlineno
    for start, end, line in code.co_lines():
        if start <= lasti < end:
            return line or 0
    return 0
