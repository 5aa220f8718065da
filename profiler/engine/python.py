"""The engine in Python: a daemon thread that looks at ``sys._current_frames()``.

It needs the GIL to look, so it comes late when something holds it; docs/sampling-in-detail.md
says what that means. Time is charged backward, to the stack that is seen when it could look.
"""

from __future__ import annotations

import _thread
import gc
import logging
import random
import sys
import time
from collections.abc import Callable
from types import FrameType

from flamespan.profiler import active, switching, systhreads
from flamespan.profiler.active import Span
from flamespan.profiler.engine import Helper, leaf, owners
from flamespan.profiler.engine.helper import ThreadHelper
from flamespan.profiler.engine.purewaits import Waits
from flamespan.profiler.engine.stacks import StackNumbers
from flamespan.profiler.engine.threads import SeenThread
from flamespan.profiler.model import Batch, Flag, Samples, Stats, Thread
from flamespan.profiler.spanlog import SpanLog
from flamespan.profiler.systhreads import SystemThread

TICK_NS = 1000
JITTER = 0.4
"""Gaps between passes are drawn evenly from (1 ± JITTER) intervals, each on its own, so that
passes fall on every phase of a program that does something at the same rate."""

MAX_SAMPLES = 200_000
"""Samples between two drains; more are dropped and counted."""

MAX_STACKS = 200_000
"""Stacks in one file; the recorder is then asked for a new one."""

COLLECTS_ANYWHERE = sys.version_info < (3, 12)
"""A collection may run in any allocation, also in the making of a frame object (``f_back``): what
it finalizes may let other threads run, and the frame be gone. 3.11 crashes then."""

LINGER = 10
"""Passes without an open transaction before the sampler sleeps, if it may."""

SUSPENDED_INTERVALS = 10
SUSPENDED_CPU_SHARE = 10
_LATE = int(Flag.LATE)
_TORN = int(Flag.TORN)


class PythonEngine:
    """The engine contract on what every Python offers. See ``engine.Engine``."""

    name = "python"
    span_rule = owners.SPAN_RULE
    state_rule = leaf.STATE_RULE
    tick_ns = TICK_NS
    min_interval_ns = 1_000_000

    def __init__(
        self,
        max_depth: tuple[int, int],
        max_samples: int = MAX_SAMPLES,
        max_stacks: int = MAX_STACKS,
    ) -> None:
        self._max_samples = max_samples
        self._max_stacks = max_stacks
        self._hidden: set[int] = set()
        self._threads: dict[int, SeenThread] = {}
        self._thread_rows: list[Thread] = []
        self._next_index = 0
        self._stacks = StackNumbers(max_depth)
        self._waits = Waits(self._stacks)
        self._samples = Samples(tick_ns=TICK_NS)
        self._stats = Stats()
        self._before = 0  # tick of the pass before
        self._recorded = 0  # tick of the last pass that went into the samples
        self._process_cpu_ns = 0
        self._cpu_at_start_ns = 0
        self._interval = 0
        self._complained = False
        # One lock for everything above: held by a pass, by a drain and by nobody else.
        self._lock = systhreads.allocate_lock()
        self._stop_lock = systhreads.allocate_lock()
        self._runner: SystemThread | None = None
        self._gate: SpanLog | None = None
        self._asleep = 0  # ticks slept since the last pass that went into the samples
        self._asleep_since_ns = 0

    @property
    def wants_restart(self) -> bool:
        """More stacks are numbered than one file should hold."""
        return len(self._stacks) > self._max_stacks

    def call_regularly(
        self, function: Callable[[], float | None], first_s: float, name: str
    ) -> Helper:
        """Call ``function`` in a daemon thread; passes wait until that is hidden."""
        with self._lock:
            helper = ThreadHelper(function, first_s, name, self._hidden.discard)
            self._hidden.add(helper.ident)
        return helper

    def sleep_between(self, log: SpanLog) -> None:
        """Sleep while no transaction of ``log`` is open."""
        self._gate = log

    def start(self, interval_ns: int) -> None:
        """Begin to sample every ``interval_ns``, a little more or less."""
        if self._runner is not None:
            return
        self._interval = max(1, interval_ns // TICK_NS)
        self._stop_lock = systhreads.allocate_lock()
        self._stop_lock.acquire()
        ready = systhreads.allocate_lock()
        ready.acquire()
        runner = SystemThread(self._run, (ready, self._stop_lock), "flamespan-sampler")
        runner.start()
        self._runner = runner
        ready.acquire(timeout=5)

    def stop(self) -> None:
        """End the sampler thread; returns when it is gone."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._stop_lock.release()
        if self._gate is not None:
            self._gate.interrupt()
        runner.join(5)

    def drain(self, *, restart: bool = False) -> Batch:
        """Samples and definitions since the last drain; see ``engine.Engine``."""
        with self._lock:
            for ident, thread in list(self._threads.items()):
                if thread.is_replaced():
                    del self._threads[ident]  # the next pass meets the new one
                elif thread.identify():
                    self._thread_rows.append(thread.row())
            samples, self._samples = self._samples, Samples(tick_ns=TICK_NS)
            self._samples.start_ticks = self._recorded
            definitions = self._stacks.take_new()
            definitions.threads, self._thread_rows = self._thread_rows, []
            if restart:
                self._stacks.restart()
                self._waits.forget_stacks()
                for thread in self._threads.values():
                    thread.stack = -1
                    self._thread_rows.append(thread.row())
        return Batch(definitions, samples)

    def stats(self) -> Stats:
        """Counters since the first start."""
        with self._lock:
            stats = Stats(**self._stats.to_json())
            if self._asleep_since_ns:
                stats.asleep_ns += time.monotonic_ns() - self._asleep_since_ns
            return stats

    def _run(self, ready: _thread.LockType, stop_lock: _thread.LockType) -> None:
        ident = systhreads.get_ident()
        self._hidden.add(ident)
        interval = self._interval / (1_000_000_000 / TICK_NS)
        uniform = random.Random().uniform  # not the application's generator: it may be seeded
        now_s = time.monotonic
        if not self._before:
            with self._lock:
                self._look_first()
        cpu_before = self._stats.sampler_cpu_ns
        ready.release()
        deadline = now_s()
        idle = LINGER  # there may be nothing to see yet
        while True:
            if self._gate is not None:
                idle = 0 if self._gate.transactions > 0 else idle + 1
                if idle > LINGER:
                    self._sleep(self._gate)
                    deadline, idle = now_s(), 0
            deadline += interval * uniform(1 - JITTER, 1 + JITTER)
            left = deadline - now_s()
            if left <= 0:
                # Overrun: take one pass now, and let go of what was missed (it is counted).
                deadline, left = now_s(), 0.0005
            if stop_lock.acquire(timeout=left):
                self._hidden.discard(ident)  # the system may give it to another thread
                return
            with self._lock:
                collects = COLLECTS_ANYWHERE and gc.isenabled()
                if collects:
                    gc.disable()
                try:
                    self._pass()
                except Exception:
                    self._complain()
                finally:
                    if collects:
                        gc.enable()
                self._stats.sampler_cpu_ns = cpu_before + time.thread_time_ns()

    def _sleep(self, gate: SpanLog) -> None:
        """Sleep until a transaction is open; what happens meanwhile is charged to nobody."""
        self._asleep_since_ns = self._before * TICK_NS
        gate.wait_open()
        with self._lock:
            frames = sys._current_frames()
            self._forget_dead(frames)
            for ident in frames:
                if ident in self._hidden:
                    continue
                thread = self._threads.get(ident) or self._meet(ident)
                thread.cpu_ns = thread.read_cpu_ns()
                thread.stack = -1  # it may stand there by another way
            now = time.monotonic_ns() // TICK_NS
            slept = now - self._before
            self._waits.begin(now, slept, slept)
            self._asleep += slept
            self._stats.asleep_ns += now * TICK_NS - self._asleep_since_ns
            self._asleep_since_ns = 0
            self._before = now
            self._process_cpu_ns = time.process_time_ns()

    def _look_first(self) -> None:
        """Note where every thread's CPU clock stands, so that the first pass has differences."""
        self._before = self._recorded = time.monotonic_ns() // TICK_NS
        self._samples.start_ticks = self._before
        self._process_cpu_ns = self._cpu_at_start_ns = time.process_time_ns()
        for ident in sys._current_frames():
            if ident not in self._hidden:
                self._meet(ident)

    def _meet(self, ident: int) -> SeenThread:
        thread = self._threads[ident] = SeenThread(self._next_index, ident)
        self._next_index += 1
        thread.identify()
        thread.cpu_ns = thread.read_cpu_ns()
        self._thread_rows.append(thread.row())
        return thread

    def _pass(self) -> None:
        """Look at all threads once."""
        # Before the frames and after each walk: whose it is must not have changed in between.
        before_look = {ident: owners.owner(ident) for ident in self._threads}
        frames = sys._current_frames()
        # Ours refers to this very dictionary: a cycle would keep all frames until a collection.
        del frames[systhreads.get_ident()]
        now = time.monotonic_ns() // TICK_NS
        gap = now - self._before
        if gap <= 0:
            return
        self._before = now
        charged = gap - self._suspended(gap)
        self._stats.passes += 1
        missed = max(0, round(charged / self._interval) - 1)
        self._stats.missed += missed
        late = charged * 2 > self._interval * 3
        self._stats.late += late
        if len(self._samples) + len(frames) > self._max_samples:
            self._stats.dropped_samples += len(frames)
            self._forget_dead(frames)
            return
        before = len(self._samples)
        self._waits.begin(now, gap, gap - charged)
        seen = [
            (ident, frame, before_look[ident] if ident in before_look else owners.owner(ident))
            for ident, frame in frames.items()
            if ident not in self._hidden
        ]
        self._sample_all(seen, charged, _LATE if late else 0)
        self._end_pass(now, charged, missed, before)
        if len(seen) != len(self._threads):
            self._forget_dead(frames)

    def _sample_all(
        self, seen: list[tuple[int, FrameType, Span | None]], charged: int, flags: int
    ) -> None:
        """Take a sample of each thread: its ident, its frame, its span before the look."""
        for ident, frame, span in seen:
            if self._gate is not None and owners.is_left_out(span):
                self._pass_over(ident)
                continue
            try:
                self._sample(ident, frame, span, charged, flags)
            except Exception:
                self._stats.dropped_samples += 1
                self._complain()
        self._sample_waits(charged, flags)

    def _end_pass(self, now: int, charged: int, missed: int, before: int) -> None:
        """Note a pass at ``now``; its samples are those behind the first ``before``."""
        samples = self._samples
        samples.pass_ticks.append(now - self._recorded)
        samples.pass_unobserved.append(now - self._recorded - charged)
        samples.pass_missed.append(missed)
        samples.pass_samples.append(len(samples) - before)
        samples.pass_asleep.append(self._asleep)
        self._asleep = 0
        self._recorded = now

    def _pass_over(self, ident: int) -> None:
        """Take no sample of a thread, and charge what it used to none that comes later."""
        thread = self._threads.get(ident)
        if thread is not None:
            thread.cpu_ns = thread.read_cpu_ns()

    def _suspended(self, gap: int) -> int:
        """How many ticks of a long gap this process cannot have run in."""
        cpu_ns = time.process_time_ns()
        used, self._process_cpu_ns = (cpu_ns - self._process_cpu_ns) // TICK_NS, cpu_ns
        self._stats.process_cpu_ns = cpu_ns - self._cpu_at_start_ns
        if gap > SUSPENDED_INTERVALS * self._interval and used * SUSPENDED_CPU_SHARE < gap:
            return gap - self._interval
        return 0

    def _sample(
        self, ident: int, frame: FrameType, span: Span | None, charged: int, flags: int
    ) -> None:
        """Take one sample of one thread, and charge it ``charged`` ticks unless it is new."""
        thread = self._threads.get(ident)
        before_ns = cpu_ns = -1
        if thread is not None:
            if not thread.clock and thread.identify():
                self._thread_rows.append(thread.row())
            before_ns, cpu_ns = thread.cpu_ns, thread.read_cpu_ns()
            if cpu_ns < 0 and thread.is_replaced():
                thread = None
        if thread is None:
            thread = self._meet(ident)
            cpu_ns = thread.cpu_ns
            wall, cpu = self._first_share(thread, span, charged)
        else:
            wall = charged
            cpu = cpu_ns // TICK_NS - before_ns // TICK_NS if 0 <= before_ns < cpu_ns else 0
            thread.cpu_ns = cpu_ns
        thread.span = span
        # A thread that used no CPU time at all cannot have moved: no need to look again.
        if cpu_ns < 0 or cpu_ns != before_ns or thread.stack < 0 or thread.flags & _TORN:
            thread.stack, thread.leaf, thread.flags = self._stacks.of(frame)
            if thread.flags & _TORN:
                self._stats.torn += 1
        flags |= thread.flags
        if owners.owner(ident) is not span:
            span, flags = None, flags | _TORN  # it went on meanwhile: do not guess
        self._waits.ran(span, wall)
        state = leaf.state_of(thread.leaf, wall, cpu, cpu_ns >= 0)
        number = owners.span_id(span)
        self._add(thread.index, thread.stack, number, wall - charged, cpu, state, flags)

    def _first_share(self, thread: SeenThread, span: Span | None, charged: int) -> tuple[int, int]:
        """Wall and CPU ticks of a thread that is met: an interval, or what it has had."""
        used = max(0, thread.cpu_ns) // TICK_NS
        since_ns = owners.since_ns(span, thread.ident, self._before * TICK_NS)
        wall = min(charged, max(self._interval, used, self._before - since_ns // TICK_NS))
        return wall, min(wall, used)

    def _add(
        self, thread: int, stack: int, span: int, wall_extra: int, cpu: int, state: int, flags: int
    ) -> None:
        samples = self._samples
        samples.thread.append(thread)
        samples.stack.append(stack)
        samples.span.append(span)
        samples.wall_extra.append(wall_extra)
        samples.cpu_ticks.append(cpu)
        samples.state.append(state)
        samples.flags.append(flags)

    def _sample_waits(self, charged: int, flags: int) -> None:
        """Take samples of transactions whose task or greenlet is suspended."""
        try:
            for wait in self._waits.look(self._interval):
                thread = self._threads.get(wait.ident)
                if thread is not None:
                    extra = wait.wall - charged
                    both = flags | wait.flags
                    self._add(thread.index, wait.stack, wait.span, extra, 0, wait.state, both)
        except Exception:
            self._stats.dropped_samples += 1
            self._complain()

    def _complain(self) -> None:
        """Say once that a thread could not be sampled; the count is in the file."""
        if not self._complained:
            self._complained = True
            logging.getLogger("flamespan").warning("a sample could not be taken", exc_info=True)

    def _forget_dead(self, frames: dict[int, FrameType]) -> None:
        """Let go of threads that are gone; their rows stay in the file."""
        for ident in self._threads.keys() - frames.keys():
            thread = self._threads.pop(ident)
            if thread.span is not None and active.BY_THREAD.get(ident) is thread.span:
                active.BY_THREAD.pop(ident, None)
            switching.forget(ident)
