"""What a user's words (names, ids, globs) select among transactions, spans, threads, states."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import numpy as np

from flamespan.aggregator.data import (
    APPLICATION,
    HIDDEN,
    SYSTEM,
    Process,
    Spans,
    Tables,
    ThreadRow,
)
from flamespan.aggregator.stacktree import Bools, Ids
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import State

STAND_INS = (HIDDEN, SYSTEM, APPLICATION)
"""Functions that views put in; nobody selects them by name."""


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
    return _with_inner(spans, own, in_view)


def tagged(spans: Spans, in_view: Bools, key: str, value: str | None) -> tuple[Bools, Ids]:
    """Rows that have this tag (any value: None; else the value or a glob), with all inside them.

    Also gives the outermost such row of each. UsageError with the nearest keys or values.
    """
    values = [tags.get(key) for tags in spans.tags]
    own = in_view & np.array([found is not None for found in values], bool)
    if not own.any():
        known = {name for row in np.flatnonzero(in_view) for name in spans.tags[row]}
        raise UsageError(_unknown("tag", key, known))
    if value is not None:
        matching = own & _named([found or "" for found in values], value)
        if not matching.any():
            known = {str(values[row]) for row in np.flatnonzero(own)}
            raise UsageError(_unknown(f"tag {key} with the value", value, known))
        own = matching
    return _with_inner(spans, own, in_view)


def _with_inner(spans: Spans, own: Bools, in_view: Bools) -> tuple[Bools, Ids]:
    outermost = np.where(own, np.arange(len(own)), -1).astype(np.int32)
    # Parents stand before their children, so one pass hands the outermost span down.
    for row in np.flatnonzero(~spans.is_transaction):
        above = outermost[spans.parent[row]]
        if above >= 0:
            outermost[row] = above
    return (outermost >= 0) & in_view, outermost


def functions(t: Tables, which: str | re.Pattern[str], *, modules: bool = False) -> Bools:
    """Which functions ``which`` means; the first of these that finds any.

    A qualified name (or a label ``name (file:line)``); with ``modules`` a module, a package or a
    file; a glob on the same; a regular expression that is found in ``module.name`` or the file.
    UsageError with the nearest names where nothing is found.
    """
    found: Bools
    if isinstance(which, str):
        texts = [t.function_name, [t.label(i) for i in range(len(t.function_name))]]
        if modules:
            texts += [t.function_module, t.function_file]
        found = np.any([[text == which for text in column] for column in texts], axis=0)
        if modules and not found.any():
            found = np.array([text.startswith(f"{which}.") for text in t.function_module], bool)
        if not found.any() and any(sign in which for sign in "*?["):
            found = np.any([[fnmatchcase(x, which) for x in column] for column in texts], axis=0)
    else:
        found = np.zeros(len(t.function_name), bool)
    # A plain word that names nothing is a mistake, not a pattern.
    if not found.any() and (not isinstance(which, str) or re.escape(which) != which):
        found = _by_pattern(t, which)
    found[_pseudo(t)] = False
    if not found.any():
        raise UsageError(_unknown("function", _text(which), set(t.function_name[:-2])))
    return found


def _by_pattern(t: Tables, which: str | re.Pattern[str]) -> Bools:
    try:
        pattern = re.compile(which)
    except re.error:
        return np.zeros(len(t.function_name), bool)
    rows = zip(t.function_module, t.function_name, t.function_file, strict=True)
    return np.array(
        [bool(pattern.search(f"{m}.{n}" if m else n) or pattern.search(f)) for m, n, f in rows],
        bool,
    )


def _pseudo(t: Tables) -> Ids:
    """The stand-ins: no function that was recorded."""
    return np.array([i for i, name in enumerate(t.function_name) if _stands_in(t, i, name)], int)


def _stands_in(t: Tables, function: int, name: str) -> bool:
    return (
        function >= len(t.function_name) - 3 and name in STAND_INS and not t.function_file[function]
    )


def _text(which: str | re.Pattern[str]) -> str:
    return which if isinstance(which, str) else which.pattern


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
