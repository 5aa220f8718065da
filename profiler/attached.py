"""Records processes that know nothing of flamespan, by looking at them from outside.

Each look stands for the measured time since the look before. CPU time is the kernel's, by thread
(Linux: /proc/PID/task/TID/schedstat, first number, nanoseconds). There are no spans.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from flamespan.profiler import lifecycle, outside, pyspy
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import (
    Definitions,
    End,
    Flag,
    Function,
    Samples,
    State,
    Stats,
    Thread,
)
from flamespan.profiler.samplefile import SUFFIX, SampleWriter

FLUSH_S = 1.0
MAX_RATE_HZ = 100.0
MOST_REFUSALS = 5
"""After so many looks in a row that failed a descendant is not looked at any more."""
TICK_NS = 1000


class Numbers:
    """Numbers functions, frames, stacks and threads of one file; ``new`` is not yet written."""

    def __init__(self) -> None:
        self._functions: dict[Function, int] = {}
        self._frames: dict[tuple[int, int], int] = {}
        self._nodes: dict[tuple[int, int], int] = {}
        self._threads: dict[tuple[int, int], int] = {}
        self._names: dict[int, str] = {}
        self.new = Definitions()

    def take_new(self) -> Definitions:
        """Definitions since the last call."""
        new = self.new
        self.new = Definitions(
            first_function=len(self._functions) + 1,
            first_frame=len(self._frames) + 1,
            first_stack=len(self._nodes) + 1,
        )
        return new

    def thread(self, pid: int, seen: dict[str, Any]) -> int:
        """The index of a thread, which may have got another name."""
        ident, native = int(seen["thread_id"]), int(seen.get("os_thread_id") or 0)
        # Both: a thread that ended may leave its ident to a later one.
        index = self._threads.setdefault((ident, native), len(self._threads))
        name = str(seen.get("thread_name") or f"thread {ident}")
        if self._names.get(index) != name:
            self._names[index] = name
            self.new.threads.append(Thread(index, ident, native, name, native == pid))
        return index

    def stack(self, frames: list[dict[str, Any]]) -> int:
        """The number of a stack that is told leaf first."""
        node = 0
        for told in reversed(frames):
            function = Function(str(told["name"]), str(told["filename"]), 0)
            number = self._functions.setdefault(function, len(self._functions) + 1)
            if number > len(self.new.functions) + self.new.first_function - 1:
                self.new.functions.append(function)
            node = self._node(node, self._frame(number, max(0, int(told.get("line") or 0))))
        return node

    def _frame(self, function: int, line: int) -> int:
        frame = self._frames.get((function, line))
        if frame is None:
            frame = self._frames[function, line] = len(self._frames) + 1
            self.new.frame_function.append(function)
            self.new.frame_line.append(line)
        return frame

    def _node(self, parent: int, frame: int) -> int:
        node = self._nodes.get((parent, frame))
        if node is None:
            node = self._nodes[parent, frame] = len(self._nodes) + 1
            self.new.stack_parent.append(parent)
            self.new.stack_frame.append(frame)
        return node


class AttachedProcess:
    """The recording of one process. Raises OSError where its file cannot be made."""

    def __init__(self, folder: str, pid: int, rate_hz: float, spy: str, now_ns: int) -> None:
        self.header = outside.header_of(pid, rate_hz, spy, now_ns)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, lifecycle.file_stem(self.header) + SUFFIX)
        self._writer = SampleWriter(path, self.header)
        self.path = path
        self.pid = pid
        self.samples = 0
        self._numbers = Numbers()
        self._stats = Stats(interval_ns=self.header.interval_ns)
        self._last_ns = now_ns
        self._cpu_ns: dict[int, int] = {}
        self._pending = Samples(tick_ns=TICK_NS, start_ticks=now_ns // TICK_NS)

    def add(self, threads: list[dict[str, Any]], now_ns: int) -> None:
        """What a look saw, which ended at ``now_ns`` (monotonic)."""
        rows = self._pending
        wall = now_ns // TICK_NS - self._last_ns // TICK_NS
        missed = max(0, round(wall * TICK_NS / self.header.interval_ns) - 1)
        self._last_ns = now_ns
        rows.pass_ticks.append(wall)
        rows.pass_samples.append(len(threads))
        rows.pass_unobserved.append(0)
        rows.pass_missed.append(missed)
        for seen in threads:
            works = bool(seen.get("active"))
            rows.thread.append(self._numbers.thread(self.pid, seen))
            rows.stack.append(self._numbers.stack(seen["frames"]))
            rows.span.append(0)
            rows.wall_extra.append(0)
            rows.cpu_ticks.append(self._used_ns(int(seen.get("os_thread_id") or 0)) // TICK_NS)
            rows.state.append(State.RUNNING if works else State.IDLE)
            rows.flags.append(Flag.HOLDS_GIL if seen.get("owns_gil") else 0)
        self.samples += len(threads)
        self._stats.passes += 1
        self._stats.missed += missed

    def charge(self, spy_ns: int, own_ns: int) -> None:
        """CPU time that was spent for this process: by py-spy, and by ourselves."""
        self._stats.sampler_cpu_ns += spy_ns
        self._stats.recorder_cpu_ns += own_ns

    def flush(self, *, last: bool = False) -> None:
        """Write what there is."""
        batch, self._pending = self._pending, Samples(TICK_NS, self._last_ns // TICK_NS)
        if batch.pass_ticks or last:
            self._writer.flush(self._numbers.take_new(), batch, None, self._stats)

    def close(self, reason: str) -> None:
        """Write the rest and end the file."""
        self.flush(last=True)
        self._writer.close(End(reason, self._last_ns))

    def _used_ns(self, tid: int) -> int:
        """CPU time of a thread since the look before; 0 at the first, or where nobody tells."""
        try:
            with open(f"/proc/{self.pid}/task/{tid}/schedstat", encoding="ascii") as file:
                used = int(file.read().split()[0])
        except (OSError, ValueError, IndexError):
            return 0
        before = self._cpu_ns.get(tid, used)
        self._cpu_ns[tid] = used
        return max(0, used - before)


class Spent:
    """CPU time of this program and of the py-spy's that it ran, each part of it told once."""

    def __init__(self) -> None:
        self._spy_ns = self._own_ns = 0
        self.take()

    def take(self) -> tuple[int, int]:
        """What py-spy and this program used since the last call, in nanoseconds."""
        times = os.times()
        spy_ns = round((times.children_user + times.children_system) * 1e9)
        own_ns = time.process_time_ns()
        before = self._spy_ns, self._own_ns
        self._spy_ns, self._own_ns = spy_ns, own_ns
        return spy_ns - before[0], own_ns - before[1]


class Attachment:
    """Looks at a process, and at those it started if ``subprocesses``.

    Raises UsageError where that cannot be, and OSError where ``folder`` cannot be written.
    """

    def __init__(self, pid: int, folder: str, rate_hz: float, *, subprocesses: bool) -> None:
        self._pid, self._folder, self._rate_hz = pid, folder, rate_hz
        self._subprocesses = subprocesses
        self._spy = pyspy.program()
        if not pyspy.is_there(pid):
            raise UsageError(f"there is no process {pid}")
        self._version = pyspy.version(self._spy)
        self.processes: dict[int, AttachedProcess] = {}
        self.recorded: list[AttachedProcess] = []
        self._stopped = False
        self._started: list[int] = []
        self._refusals: dict[int, int] = {}
        self._census_s = 0.0
        self._spent = Spent()
        self._look()

    def run(self, duration_s: float) -> str:
        """Record until ``stop``, the process's end or so many seconds (0: no bound); which it was.

        Raises OSError where a file cannot be written. ``close`` has to follow in any case.
        """
        began_s = flushed_s = time.monotonic()
        due_s = began_s
        while not self._stopped and (not duration_s or time.monotonic() - began_s < duration_s):
            due_s = max(due_s + 1 / self._rate_hz, time.monotonic())
            while not self._stopped and (rest_s := due_s - time.monotonic()) > 0:
                time.sleep(min(rest_s, 0.1))
            try:
                self._look()
            except UsageError:
                if not pyspy.is_there(self._pid):
                    return "exit"
                # It may have been busy with exec or its end: the next look will tell.
            if time.monotonic() - flushed_s >= FLUSH_S:
                flushed_s = time.monotonic()
                for process in self.processes.values():
                    process.flush()
        return "stop"

    def stop(self) -> None:
        """Have ``run`` end soon, with whole looks only; a signal's handler may call it."""
        self._stopped = True

    def close(self, reason: str) -> None:
        """End all files."""
        for pid in list(self.processes):
            self._end(pid, reason)

    def _end(self, pid: int, reason: str) -> None:
        process = self.processes.pop(pid)
        process.charge(*self._spent.take())
        with contextlib.suppress(OSError):
            process.close(reason)

    def _look(self) -> None:
        """At the process, and then at its descendants; what is wrong with those is theirs."""
        self._look_at(self._pid)
        if not self._subprocesses:
            return
        if time.monotonic() >= self._census_s:
            self._census_s = time.monotonic() + FLUSH_S
            self._started = pyspy.descendants(self._pid)
        for pid in self._started:
            if self._refusals.get(pid, 0) >= MOST_REFUSALS:
                continue  # no Python, or not for us
            try:
                self._look_at(pid)
                self._refusals[pid] = 0
            except UsageError:
                self._refusals[pid] = self._refusals.get(pid, 0) + 1
                if pid in self.processes and not pyspy.is_there(pid):
                    self._end(pid, "exit")

    def _look_at(self, pid: int) -> None:
        began_ns = time.monotonic_ns()
        threads = pyspy.look(self._spy, pid)
        now_ns = time.monotonic_ns()
        if pid not in self.processes:  # its time begins now: nobody looked before
            self.processes[pid] = AttachedProcess(
                self._folder, pid, self._rate_hz, self._version, began_ns
            )
            self.recorded.append(self.processes[pid])
        self.processes[pid].add(threads, now_ns)
        self.processes[pid].charge(*self._spent.take())
