"""What a user's words (names, ids, globs) select among transactions, spans, threads, states."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import numpy as np

from flamespan.aggregator.data import Process, Spans, ThreadRow
from flamespan.aggregator.stacktree import Bools, Ids
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import State


def transactions(spans: Spans, in_view: Bools, which: str | int) -> Bools:
    """Which rows are transactions named ``which``, of that id (int or "#12") or glob.

    UsageError with the nearest names where none is in view.
    """
    roots = spans.is_transaction & in_view
    found: Bools
    if isinstance(which, int) or (which.startswith("#") and which[1:].isdigit()):
        number = int(str(which).removeprefix("#"))
        found = roots & (spans.id == number)
    else:
        found = roots & _named(spans.name, which)
    if not found.any():
        known = {spans.name[row] for row in np.flatnonzero(roots)}
        raise UsageError(_unknown("transaction", str(which), known))
    return found


def spans(spans: Spans, in_view: Bools, which: str) -> tuple[Bools, Ids]:
    """Rows of spans whose op or description is ``which``, with all spans inside them.

    Also gives, for every such row, the outermost selected span that holds it. UsageError with
    the nearest names where none is in view.
    """
    own = (_named(spans.op, which) | _named(spans.description, which)) & in_view
    own &= ~spans.is_transaction
    if not own.any():
        inner = np.flatnonzero(in_view & ~spans.is_transaction)
        known = {spans.op[row] for row in inner} | {spans.description[row] for row in inner}
        raise UsageError(_unknown("span", which, known))
    outermost = np.where(own, np.arange(len(own)), -1).astype(np.int32)
    # Parents stand before their children, so one pass hands the outermost span down.
    for row in np.flatnonzero(~spans.is_transaction):
        above = outermost[spans.parent[row]]
        if above >= 0:
            outermost[row] = above
    return (outermost >= 0) & in_view, outermost


def threads(rows: Sequence[ThreadRow], which: str | int) -> Bools:
    """Which threads have this name, glob or row number."""
    found: Bools
    if isinstance(which, int):
        found = np.arange(len(rows)) == which
    else:
        found = _named([row.name for row in rows], which)
    if not found.any():
        raise UsageError(_unknown("thread", str(which), {row.name for row in rows}))
    return found


def process(processes: Sequence[Process], pid: int) -> int:
    """The index of the process with this id."""
    for index, found in enumerate(processes):
        if found.header.pid == pid:
            return index
    known = {str(found.header.pid) for found in processes}
    raise UsageError(_unknown("process", str(pid), known))


def state(name: str) -> State:
    """The state of this name; ``waiting_for_gil`` and the like are not guessed."""
    try:
        return State[name.upper()]
    except KeyError:
        known = ", ".join(found.name.lower() for found in State)
        raise UsageError(f"no state {name!r}; there are {known}") from None


def _named(names: Sequence[str], which: str) -> Bools:
    """Exact names first; only where there are none, ``which`` is taken as a glob."""
    exact = np.array([name == which for name in names], bool)
    if exact.any() or not any(sign in which for sign in "*?["):
        return exact
    return np.array([fnmatchcase(name, which) for name in names], bool)


def _unknown(what: str, asked: str, known: Iterable[str]) -> str:
    names = sorted(name for name in known if name)
    if not names:
        return f"no {what} {asked!r}: the recording (or this view of it) has no {what}s"
    near = difflib.get_close_matches(asked, names, n=5, cutoff=0.4) or names[:5]
    more = "" if len(names) <= len(near) else f" ({len(names)} in all)"
    return f"no {what} {asked!r}; there is {', '.join(map(repr, near))}{more}"
