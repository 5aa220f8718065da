"""Collapsed ("folded") stacks: one line ``frame;frame;frame weight``, root first.

Read are our own export, py-spy's ``--format raw`` (also with ``--threads``, ``--subprocesses``,
``--function``) and what flamegraph.pl takes. A frame is ``name (file:line)``, ``name (file)`` or
a bare name. The format does not say whether its lines are where functions begin (our export,
py-spy with ``--function``) or where they were running (py-spy without): the file as a whole tells,
see ``building.are_running``. In the second case functions are told apart by name and file alone.
"""

from __future__ import annotations

import math
import os
import re

from flamespan.aggregator.importing import Imported, ImportedProcess
from flamespan.aggregator.importing.building import NO_STACK, are_running, checked_unit
from flamespan.aggregator.importing.source import encoding_of, lines
from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.model import Function, Thread

_WEIGHT = re.compile(r"(?:(.*)[ \t])?(\d+)[ \t]*\Z", re.DOTALL)
_OTHER_WEIGHT = re.compile(
    r"(?:(.*)[ \t])?([-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?))[ \t]*\Z",
    re.DOTALL | re.IGNORECASE,
)
_PROCESS = re.compile(r'process (\d+)(?::"(.*)")?\Z', re.DOTALL)
_THREAD = re.compile(r"thread \((0x[0-9A-Fa-f]+|\d+)\)(?:: (.*))?\Z", re.DOTALL)
_LINE = re.compile(r"(.*):(\d{1,9})\Z", re.DOTALL)
_TOP = (1 << 63) - 1


def detects(head: bytes) -> bool:
    """Whether a file that begins with ``head`` looks like collapsed stacks.

    The first line with anything in it decides; one that is cut off must at least have frames.
    """
    text = head.decode(encoding_of(head), "replace")
    if "\0" in text or text.lstrip()[:1] in ("{", "["):
        return False
    # Names may hold what else ends a line (U+2028): only what ``lines`` parts is a line.
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    first = next((line for line in lines if _says_something(line)), "")
    if first.endswith(("\n", "\r")) or len(lines) > 1:
        line = first.rstrip("\r\n")
        return bool(_WEIGHT.match(line) or (";" in line and _OTHER_WEIGHT.match(line)))
    return bool(_WEIGHT.match(first)) or (";" in first and first.isprintable())


def read(path: str | os.PathLike[str], unit_ns: int | None = None) -> Imported:
    """The stacks of the file at ``path``; a weight counts ``unit_ns`` nanoseconds (None: one).

    Weights may have a fraction where ``unit_ns`` is given: each is rounded to nanoseconds.
    Raises SampleFileError with the number of the line that cannot be read.
    """
    checked_unit(unit_ns)
    reading = _Reading(Imported(os.fspath(path), "collapsed"), unit_ns)
    for number, line in lines(path):
        if not line.startswith("#"):
            reading.add(number, line)
    if not reading.imported.stack:
        raise SampleFileError(path, None, "holds no stacks (an empty file)")
    reading.finish()
    return reading.imported


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


class _Reading:
    """The tables grown line by line; equal frames and equal stacks get one id each."""

    def __init__(self, imported: Imported, unit_ns: int | None) -> None:
        self.imported = imported
        self.unit_known, self.unit_ns = unit_ns is not None, unit_ns or 1
        self.total_ns = 0
        self._frames: dict[tuple[str, str, int], int] = {("", "", 0): 0}
        self._frame_of: dict[str, int] = {}
        self._stacks: dict[tuple[int, int], int] = {}
        self._threads: dict[tuple[str, str], int] = {}
        self._processes: dict[str, int] = {}

    def add(self, number: int, line: str) -> None:
        path = self.imported.path
        match = _WEIGHT.match(line)
        if match:
            weight_ns = int(match[2]) * self.unit_ns if len(match[2]) < 20 else _TOP
        else:
            match, weight_ns = self._other_weight(number, line)
        self.total_ns += weight_ns
        if self.total_ns >= _TOP:
            raise SampleFileError(path, number, "the weights add up to more than 292 years")
        frames = (match[1] or "").split(";")
        process, thread, frames = _prefixes(frames)
        stack = 0
        for text in frames:
            if text and frames != [NO_STACK]:
                stack = self._stack(stack, self._frame(text))
        self.imported.thread.append(self._thread(process, thread))
        self.imported.stack.append(stack)
        self.imported.weight_ns.append(weight_ns)

    def _other_weight(self, number: int, line: str) -> tuple[re.Match[str], int]:
        """The line, parted, and its weight if that is no whole number but may be one of units."""
        path, match = self.imported.path, _OTHER_WEIGHT.match(line)
        if not match:
            raise SampleFileError(path, number, "the line does not end with a space and a number")
        weight = float(match[2])
        if not 0 <= weight < math.inf:
            reason = "is negative" if weight < 0 else "is no number to add up"
            raise SampleFileError(path, number, f"the weight {match[2][:40]} {reason}")
        if not self.unit_known:
            reason = "is no whole number: say what 1 stands for (--unit 1ms, unit_ns=1_000_000)"
            raise SampleFileError(path, number, f"the weight {match[2][:40]} {reason}")
        return match, round(min(weight * self.unit_ns, _TOP))

    def _stack(self, parent: int, frame: int) -> int:
        stacks = self.imported.tables.stacks
        stack = self._stacks.setdefault((parent, frame), len(stacks))
        if stack == len(stacks):
            stacks.parent.append(parent)
            stacks.frame.append(frame)
        return stack

    def _frame(self, text: str) -> int:
        frame = self._frame_of.get(text)
        if frame is None:
            frame = self._frames.setdefault(split_frame(text), len(self._frames))
            self._frame_of[text] = frame
        return frame

    def finish(self) -> None:
        """Make functions and frames of what was read, and say what had to be assumed."""
        tables = self.imported.tables
        frames = list(self._frames)[1:]
        running = are_running(frames)
        functions: dict[Function, int] = {}
        for name, file, line in frames:
            function = Function(name, file, 0 if running else line)
            tables.frame_function.append(functions.setdefault(function, len(functions) + 1))
            tables.frame_line.append(line)
        tables.functions += functions
        what = "were running, so where they begin is unknown" if running else "begin"
        self.imported.notes.append(f"collapsed stacks: lines are taken as where functions {what}")
        if not self.unit_known:
            self.imported.notes.append(
                "collapsed stacks: weights are taken as nanoseconds; for counts of samples say "
                "what one stands for (--unit 10ms, unit_ns=10_000_000)"
            )

    def _thread(self, process: str, thread: str) -> int:
        """Index of a thread by its prefix; the first of a file or process is its main one."""
        threads = self.imported.tables.threads
        index = self._threads.setdefault((process, thread), len(threads))
        if index == len(threads):
            ident, native_id, name = _thread_names(thread)
            threads[index] = Thread(index, ident, native_id, name, name == "MainThread")
            self.imported.thread_process.append(self._process(process))
        return index

    def _process(self, process: str) -> int:
        processes = self.imported.processes
        index = self._processes.setdefault(process, len(processes))
        if index == len(processes):
            match = _PROCESS.match(process)
            pid, command = (int(match[1][:18]), match[2] or "") if match else (0, "")
            processes.append(ImportedProcess(pid, command))
        return index


def _prefixes(frames: list[str]) -> tuple[str, str, list[str]]:
    """Take py-spy's process and thread prefixes off: (process, thread, the frames left).

    A child process comes after its parents; the last one is the process that ran.
    """
    process, thread, first = "", "", 0
    while first < len(frames) and _PROCESS.match(frames[first]):
        process, first = frames[first], first + 1
    if first < len(frames) and _THREAD.match(frames[first]):
        thread, first = frames[first], first + 1
    return process, thread, frames[first:]


def _thread_names(prefix: str) -> tuple[int, int, str]:
    """(ident, native id, name) of a thread prefix; py-spy gives hexadecimal ids of Python."""
    match = _THREAD.match(prefix)
    if not match:
        return 0, 0, ""
    number, name = match[1], match[2] or f"thread {match[1]}"
    if number.startswith("0x"):
        return int(number[:18], 16), 0, name
    return 0, int(number[:18]), name


def split_frame(text: str) -> tuple[str, str, int]:
    """A frame's ``name``, ``file`` ("" unknown) and ``line`` (0 unknown).

    The file is what the last pair of brackets holds, so names and folders may hold brackets.
    """
    start = _opening(text)
    if start < 1 or text[start - 1] != " ":
        return text, "", 0
    name, place = text[: start - 1], text[start + 1 : -1]
    match = _LINE.match(place)
    return (name, match[1], int(match[2])) if match else (name, place, 0)


def _opening(text: str) -> int:
    """Where the bracket opens that the end of ``text`` closes; -1 if there is none."""
    if not text.endswith(")"):
        return -1
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if not depth:
            return place
    return text.rfind(" (") + 1 or -1
