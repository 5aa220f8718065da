"""Open transactions whose task or greenlet is suspended, for the Python engine.

Each that ran nowhere in a pass gets a sample of where it stands, charged with the time since it was
last accounted for, the first time since its start: so what is booked to it adds up to its duration.
Where there are many a pass looks at some of them, in turn.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from flamespan.profiler import active, switching
from flamespan.profiler.active import Span
from flamespan.profiler.engine import owners, purechain
from flamespan.profiler.engine.stacks import StackNumbers
from flamespan.profiler.model import Flag, State

TICK_NS = 1000

MOST, LEAST = 50, 8
"""Transactions that a pass looks at."""

MOST_OVER = 1000
"""Of those that are over as many are let go of in a pass."""

MOST_LAPSED = 1000
"""Of those that are over what is remembered, should they be entered again."""

SHARE = 0.005
"""Part of an interval that looking at them may take, once there were LEAST."""

TURN_NS = 10_000_000
"""How long one of several tasks that are waited for has the time."""

_AWAITING, _LOOP_WAIT = int(State.AWAITING), int(State.LOOP_WAIT)


class Wait(NamedTuple):
    """A sample of a transaction that waits; ``wall`` in ticks."""

    ident: int
    stack: int
    span: int
    wall: int
    state: int
    flags: int


class _Waiter:
    """One transaction: its task or greenlet, and what of its time is accounted for."""

    __slots__ = ("future", "ident", "last", "ran", "seen", "since", "task")

    def __init__(self, note: switching.Note, since: int) -> None:
        self.task, self.ident = note.task, note.ident
        self.since = since  # ticks that count, up to which it is accounted for
        self.ran = 0  # the pass in which a thread had its time
        self.last: tuple[int, int, int, int] | None = None  # as it was seen waiting, before it ran
        self.future: weakref.ref[Any] | None = None
        self.seen: tuple[int, int, int, int] | None = None


class Waits:
    """Who waits, and whose turn it is. Used with the engine's lock held."""

    def __init__(self, stacks: StackNumbers) -> None:
        self._stacks = stacks
        self._rows: dict[int, _Waiter] = {}
        self._late: list[Wait] = []
        self._turns: deque[int] = deque()
        self._lapsed: dict[int, int] = {}  # up to which tick they are accounted for
        self._now = self._pass = 0
        self._excluded = 0  # ticks of all passes so far in which the process cannot have run

    def begin(self, now: int, gap: int, excluded: int) -> None:
        """The pass at tick ``now``: ``excluded``, the first of ``gap`` ticks, count for nobody."""
        self._now, self._pass = now, self._pass + 1
        self._late.clear()
        notes = switching.TASKS
        while notes:
            note = notes.popleft()
            if note.span_id not in self._rows:
                start = note.start_ns // TICK_NS
                inside = min(max(start - (now - gap), 0), excluded)
                since = self._lapsed.pop(note.span_id, start - self._excluded - inside)
                self._rows[note.span_id] = _Waiter(note, since)
                self._turns.append(note.span_id)
        self._excluded += excluded

    def ran(self, span: Span | None, wall: int) -> None:
        """A thread was seen in ``span`` in this pass, and has ``wall`` ticks of its time."""
        root = None if span is None else span.open_ancestor()
        if root is None or not self._rows:
            return
        waiter = self._rows.get(root.transaction.id)
        if waiter is None or waiter.ran == self._pass:  # two threads have it
            return
        now = self._now - self._excluded
        before = now - wall - waiter.since
        if before > 0 and waiter.last is not None:
            # No pass until the last one saw it running: it waited where it was seen last.
            stack, owner, state, flags = waiter.last
            self._late.append(Wait(waiter.ident, stack, owner, before, state, flags))
            waiter.since += before
        waiter.since = min(waiter.since + wall, now)
        waiter.ran, waiter.last = self._pass, None

    def forget_stacks(self) -> None:
        """Stacks are numbered anew."""
        for waiter in self._rows.values():
            waiter.seen = waiter.last = None

    def look(self, interval: int) -> Iterator[Wait]:
        """Samples of those whose turn it is in this pass; passes are ``interval`` ticks apart."""
        allowed_ns = int(interval * TICK_NS * SHARE)
        yield from self._late
        began_ns, looked, over = time.perf_counter_ns(), 0, 0
        for _ in range(len(self._turns)):
            number = self._turns.popleft()
            waiter = self._rows[number]
            span = _span_of(waiter, number)
            if span is None:
                self._lapse(number)
                over += 1
                if over == MOST_OVER:
                    return
                continue
            self._turns.append(number)
            looked += 1
            found = None if waiter.ran == self._pass else self._sample(number, waiter, span)
            if found is not None:
                yield found
            used_ns = time.perf_counter_ns() - began_ns
            if looked == MOST or (looked >= LEAST and used_ns > allowed_ns):
                return

    def _lapse(self, number: int) -> None:
        """It is over; or that of a generator, which will be entered again when that goes on."""
        self._lapsed[number] = self._rows.pop(number).since
        if len(self._lapsed) > MOST_LAPSED:
            del self._lapsed[next(iter(self._lapsed))]

    def _sample(self, number: int, waiter: _Waiter, span: Span) -> Wait | None:
        wall = self._now - self._excluded - waiter.since
        stands = self._stands(number, waiter, span) if wall > 0 else None
        if stands is None:
            return None
        waiter.since += wall
        waiter.last = stack, owner, state, flags = stands
        return Wait(waiter.ident, stack, owner, wall, state, flags)

    def _stands(self, number: int, waiter: _Waiter, span: Span) -> tuple[int, int, int, int] | None:
        """Stack, span, state and flags; None: it does not stand still."""
        task = waiter.task()
        if task is None or _runs(task, waiter.ident):
            return None
        if hasattr(task, "gr_frame"):
            frame = task.gr_frame
            seen = None if frame is None else self._stacks.of(frame)
            return None if seen is None else (seen.stack, span.id, _AWAITING, seen.flags)
        future = getattr(task, "_fut_waiter", None)
        if waiter.seen is not None and waiter.future is not None:
            _, owner, *_ = waiter.seen
            if owner == span.id and future and not future.done() and future is waiter.future():
                return waiter.seen  # it has not taken a step since
        chain = purechain.of_task(task, time.monotonic_ns() // TURN_NS + number)
        if chain is None or _runs(task, waiter.ident):
            return None
        if getattr(task, "_fut_waiter", None) is not future:
            return None  # it went on meanwhile
        seen = self._stacks.of_codes(chain.codes, chain.places)
        owner = span.id if chain.task is task else _span_there(chain.task, number) or span.id
        state = _LOOP_WAIT if chain.ready else _AWAITING
        flags = int(Flag.TRUNCATED) if chain.truncated else 0
        found = seen.stack, owner, state, flags
        settled = future is not None and not chain.ready and chain.task is task
        waiter.future = weakref.ref(future) if settled else None
        waiter.seen = found if settled else None
        return found


def _runs(task: Any, ident: int) -> bool:
    """Whether its loop runs it just now."""
    loop = switching.LOOPS.get(ident)
    if loop is not None and loop.is_running():
        return sys.modules["asyncio"].current_task(loop) is task
    run = switching.TRIO.get(ident)
    return run is not None and run.get("task") is task


def _span_of(waiter: _Waiter, number: int) -> Span | None:
    """The innermost open span of the transaction where its task is; None: it is over there."""
    task = waiter.task()
    if task is None:
        return None
    try:
        if hasattr(task, "gr_frame"):
            noted = switching.GREENLETS.get(waiter.ident, {}).get(task)
            return _of_transaction(noted, number)
        if hasattr(task, "done") and task.done():
            return None
        context = task.context if hasattr(task, "coro") else owners.context_of(task)
        return None if context is None else _of_transaction(context.get(active.ACTIVE), number)
    except Exception:  # a foreign task class that does not answer
        return None


def _span_there(task: Any, number: int) -> int:
    """The id of the transaction's span that is open in another task; 0: none is."""
    context = task.context if hasattr(task, "coro") else owners.context_of(task)
    span = None if context is None else _of_transaction(context.get(active.ACTIVE), number)
    return 0 if span is None else span.id


def _of_transaction(span: Span | None, number: int) -> Span | None:
    """The nearest open span of transaction ``number`` around ``span``, which may be in another."""
    nearest: Span | None = None
    while span is not None:
        if nearest is None and not span.end_ns:
            nearest = span
        if span.is_root:
            if span.id == number:
                return None if span.end_ns else nearest
            nearest = None
        span = span.parent
    return None
