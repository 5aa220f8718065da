"""Work in functions of its own name, so that a sample's stack tells which span it must carry.

``work("17", "b")`` computes in a function ``marker_17_b``: its samples belong to span "b" of
transaction "17". No span: to the transaction itself. ``NOBODY``: to no transaction.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flamespan.profiler.engine import choose
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Recording
from helpers import recordings

NOBODY = "nobody"
WORK_S = 0.03
TRIES = 4


def needs_native() -> None:
    """Skip where the native engine cannot work."""
    try:
        choose("native")
    except (ImportError, UsageError) as error:
        pytest.skip(f"no native engine here: {error}")


Owner = tuple[str, str]
"""Name of the transaction and description of the span in it; the names of ``work``."""


@functools.cache
def marker(transaction: str, span: str = "") -> Callable[[float], None]:
    """The function itself; it takes the seconds that it shall compute."""
    name = f"marker_{transaction}_{span}"
    scope: dict[str, Any] = {"now": time.perf_counter}
    exec(
        f"def {name}(seconds):\n"
        "    until = now() + seconds\n"
        "    while now() < until:\n"
        "        pass\n",
        scope,
    )
    return scope[name]


def work(transaction: str, span: str = "", seconds: float = WORK_S) -> None:
    marker(transaction, span)(seconds)


def marked(recording: Recording) -> Iterator[tuple[Owner, Owner]]:
    """(owner by the stack, owner by the sample's span) of each sample taken in a marker."""
    spans = recordings.spans(recording)
    for row in recordings.rows(recording):
        mark = next((name for name in reversed(row.stack) if name.startswith("marker_")), None)
        if mark is None:
            continue
        root = span = spans.get(row.span)
        while root is not None and root.parent:
            root = spans[root.parent]
        got = (NOBODY, "") if root is None else (root.name, span.description)
        _, transaction, part = mark.split("_")
        yield (transaction, part), got


def prove(record: Callable[[], Recording], *owners: str) -> None:
    """Every sample in a marker is its owner's, and each of ``owners`` ("17", "17 b") has some.

    A few may be nobody's (marked as skewed), never another's. On a busy machine the sampler may
    not get to see a marker: then it is recorded again, a few times.
    """
    found: Counter[Owner] = Counter()
    for _ in range(TRIES):
        found += rightful(record())
        missing = [name for name in owners if not found[_owner(name)]]
        if not missing:
            return
    raise AssertionError(f"no samples of {missing} in {TRIES} recordings; there are {found}")


def rightful(recording: Recording) -> Counter[Owner]:
    """How many samples each owner has; AssertionError where one is another's."""
    seen = Counter(marked(recording))
    wrong = {pair: n for pair, n in seen.items() if pair[0] != pair[1]}
    foreign = {pair: n for pair, n in wrong.items() if pair[1][0] != NOBODY}
    assert not foreign, f"(by the stack, by the span): samples: {foreign}"
    assert sum(wrong.values()) <= 1 + 0.01 * seen.total(), f"nobody's: {wrong} of {seen.total()}"
    return Counter(mine for mine, got in seen.elements() if mine == got)


def _owner(name: str) -> Owner:
    transaction, _, span = name.partition(" ")
    return transaction, span
