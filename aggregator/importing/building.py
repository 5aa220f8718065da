"""What importers fill: tables in which equal functions, frames, stacks and threads are one."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Iterable

from flamespan.aggregator.importing import Imported, ImportedProcess
from flamespan.profiler.errors import SampleFileError, UsageError
from flamespan.profiler.model import Function, State, Thread

NO_STACK = "<no stack>"
"""What exports call a sample without frames."""

_TOP = (1 << 63) - 1
_UNITS_NS = {
    "nanosecond": 1,
    "ns": 1,
    "microsecond": 1_000,
    "us": 1_000,
    "µs": 1_000,
    "millisecond": 1_000_000,
    "ms": 1_000_000,
    "second": 1_000_000_000,
    "s": 1_000_000_000,
}
COUNTS = "the numbers count samples: say what one stands for (--unit 10ms, unit_ns=10_000_000)"


class Builder:
    """An ``Imported`` that grows; ``size`` is the file's length in bytes (unpacked).

    No more frames are taken in than ``size`` explains, so that a small hostile file that refers
    to itself over and over cannot make a large profile.
    """

    def __init__(self, path: str | os.PathLike[str], name: str, size: int | None = None) -> None:
        self.imported = Imported(os.fspath(path), name)
        self._frames_left = _TOP if size is None else 16 * size + 10_000
        self._total_ns = 0
        self._functions: dict[Function, int] = {}
        self._frames: dict[tuple[int, int], int] = {}
        self._stacks: dict[tuple[int, int], int] = {}
        self._threads: dict[object, int] = {}
        self._processes: dict[object, int] = {}

    def refuse(self, place: int | None, reason: str) -> SampleFileError:
        """The error to raise for what is wrong with the file."""
        return SampleFileError(self.imported.path, place, reason)

    def note(self, text: str) -> None:
        """Something a reader of the profile should know, once."""
        said = f"{self.imported.format}: {text}"
        if said not in self.imported.notes:
            self.imported.notes.append(said)

    def function(self, name: str, file: str, first_line: int = 0) -> int:
        """Id of a function (``first_line`` 0: unknown)."""
        key = Function(name, file, first_line)
        found = self._functions.get(key)
        if found is None:
            found = self._functions[key] = len(self.imported.tables.functions)
            self.imported.tables.functions.append(key)
        return found

    def frame(self, function: int, line: int) -> int:
        """Id of a frame of a function at a running line (0: unknown)."""
        tables = self.imported.tables
        found = self._frames.setdefault((function, line), len(tables.frame_line))
        if found == len(tables.frame_line):
            tables.frame_function.append(function)
            tables.frame_line.append(line)
        return found

    def stack(self, parent: int, frame: int) -> int:
        """The node of ``frame`` called by ``parent``."""
        stacks = self.imported.tables.stacks
        found = self._stacks.setdefault((parent, frame), len(stacks))
        if found == len(stacks):
            stacks.parent.append(parent)
            stacks.frame.append(frame)
        return found

    def path(self, frames: Iterable[int]) -> int:
        """The node of a whole stack, root first; ``<no stack>`` alone is the empty one."""
        node = count = 0
        for frame in frames:
            node = self.stack(node, frame)
            count += 1
            if count > self._frames_left:
                raise self.refuse(None, "its stacks have more frames than its size explains")
        self._frames_left -= count
        return 0 if count == 1 and self._is_no_stack(node) else node

    def _is_no_stack(self, node: int) -> bool:
        tables = self.imported.tables
        function = tables.functions[tables.frame_function[tables.stacks.frame[node]]]
        return function.name == NO_STACK and not function.file

    def process(self, key: object, pid: int = 0, command: str = "") -> int:
        """Index of a process."""
        processes = self.imported.processes
        found = self._processes.setdefault(key, len(processes))
        if found == len(processes):
            processes.append(ImportedProcess(pid, command))
        return found

    def thread(
        self, key: object, name: str = "", ident: int = 0, native_id: int = 0, process: int = 0
    ) -> int:
        """Index of a thread."""
        threads = self.imported.tables.threads
        found = self._threads.setdefault(key, len(threads))
        if found == len(threads):
            main = name == "MainThread"
            threads[found] = Thread(found, ident, native_id, name, main)
            self.imported.thread_process.append(process)
        return found

    def add(
        self,
        stack: int,
        weight_ns: int,
        thread: int,
        *,
        time_ns: int | None = None,
        cpu_ns: int | None = None,
        state: State = State.UNKNOWN,
        place: int | None = None,
    ) -> None:
        """One row. A file gives times (or CPU times) to all of its rows or to none."""
        if weight_ns < 0 or (cpu_ns or 0) < 0:
            raise self.refuse(place, f"a negative weight ({weight_ns})")
        self._total_ns += weight_ns + (cpu_ns or 0)
        if self._total_ns >= _TOP or abs(time_ns or 0) >= _TOP:
            raise self.refuse(place, "the weights add up to more than 292 years")
        imported = self.imported
        imported.stack.append(stack)
        imported.weight_ns.append(weight_ns)
        imported.thread.append(thread)
        imported.state.append(state)
        if time_ns is not None:
            imported.time_ns = _appended(imported.time_ns, time_ns)
        if cpu_ns is not None:
            imported.cpu_ns = _appended(imported.cpu_ns, cpu_ns)

    def finished(self) -> Imported:
        """What was read. Raises SampleFileError where that is nothing."""
        if not self.imported.stack:
            raise self.refuse(None, "holds no samples")
        return self.imported


def _appended(column: array[int] | None, value: int) -> array[int]:
    column = array("q") if column is None else column
    column.append(value)
    return column


def unit_of(name: str) -> int | None:
    """Nanoseconds of a unit of time by its name in any number; None: no unit of time."""
    name = name.lower()
    return _UNITS_NS.get(name) or _UNITS_NS.get(name.removesuffix("s"))


def checked_unit(unit_ns: int | None) -> int | None:
    """A unit as the user gave it. Raises UsageError for one that cannot be."""
    if unit_ns is not None and unit_ns < 1:
        raise UsageError(f"a unit of {unit_ns} ns cannot be: it must be 1 ns or more")
    return unit_ns


def are_running(frames: Iterable[tuple[str, str, int]]) -> bool:
    """Whether the lines of these (name, file, line) are where functions were running.

    A module begins at line 1. A function that was running shows at several lines; one that
    begins there does not, but a getter and its setter may share a name.
    """
    lines = defaultdict(set)
    for name, file, line in frames:
        if name == "<module>" and line > 1:
            return True
        if line and not name.endswith(">"):
            lines[name, file].add(line)
    several = sum(len(found) > 1 for found in lines.values())
    return several * 10 > len(lines)
