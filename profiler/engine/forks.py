"""What stands for several tasks that a task waits for, and where it keeps them.

``asyncio.gather``, task groups, ``asyncio.wait``, ``shield`` and nurseries wait for a future (or
for nothing that can be seen), not for their tasks. Each has one place that leads to the tasks:
an attribute of the future, or the first local variable of the coroutine that waits. Where in
memory that lies is learnt from living ones, as a path of offsets that must lead from two of them
to what each holds.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable
from types import CellType, CodeType, SimpleNamespace
from typing import Any, NamedTuple

from flamespan.profiler.engine import _native

MOST_HOPS = 3
TRIES = 5
"""A module may be met while it is still being imported."""


class Fork(NamedTuple):
    """One way from a future (``at`` is its type) or a coroutine (its code) to tasks.

    ``hops`` are offsets in bytes; those of a coroutine begin at its first local variable. After
    ``checked`` hops (0: none) the object there must point to ``check`` from ``check_at``.
    """

    at: object
    hops: tuple[int, ...]
    checked: int = 0
    check_at: int = 0
    check: object = None


class _NoLoop:
    """Enough of an event loop for futures that nobody waits for."""

    def __init__(self, future: Callable[..., Any]) -> None:
        self._future = future

    def create_future(self) -> Any:
        return self._future(loop=self)

    def get_debug(self) -> bool:
        return False

    def call_soon(self, *_: object, **__: object) -> None:
        pass

    def call_exception_handler(self, *_: object) -> None:
        pass

    def is_running(self) -> bool:
        return False


def no_loop(future: Callable[..., Any]) -> Any:
    """What stands for a loop; its futures are ``future(loop=...)``."""
    return _NoLoop(future)


def _path(make: Callable[[], tuple[object, object]], most: int = MOST_HOPS) -> tuple[int, ...]:
    """The way from the first to the second of what ``make`` gives; LookupError: there is none."""
    make()  # the first object of a class may be built otherwise than those after it
    pairs = [make() for _ in range(2)]
    found = _native.path_of(tuple(a for a, _ in pairs), tuple(b for _, b in pairs), most)
    if found is None:
        raise LookupError
    return found


def _to_local(code: CodeType) -> tuple[int, ...]:
    """From a frame's first local variable to its value: nested functions may share it in a cell."""
    if code.co_varnames[0] not in code.co_cellvars:
        return (0,)

    def cell() -> tuple[object, object]:
        value = object()
        return CellType(value), value

    return (0, *_path(cell, 1))


def _of_coroutine(function: Any, make: Callable[[], tuple[object, object]] | None) -> Fork:
    """``make`` gives what its first local variable is and the tasks' container; None: the same."""
    rest = () if make is None else _path(make)
    return Fork(function.__code__, (*_to_local(function.__code__), *rest))


def _gather(tasks: Any) -> list[Fork]:
    loop = no_loop(tasks.futures.Future)

    def gathering() -> tuple[object, object]:
        children: list[object] = []
        return tasks._GatheringFuture(children, loop=loop), children

    return [Fork(tasks._GatheringFuture, _path(gathering))]


def _shield(tasks: Any) -> list[Fork]:
    """A shield's future knows what it shields by what it does when it is cancelled, only."""
    kind = tasks.futures.Future
    loop = no_loop(kind)

    def shield() -> tuple[Any, Any]:
        inner = kind(loop=loop)
        outer = tasks.shield(inner)
        return outer, inner

    def callback(pair: tuple[Any, Any]) -> Any:
        return pair[0]._callbacks[0][0]

    def inner_cell(pair: tuple[Any, Any]) -> tuple[Any, Any]:
        cells = callback(pair).__closure__
        return cells, next(cell for cell in cells if cell.cell_contents is pair[1])

    kept = []  # what a path was learnt from has to live until it is

    def hop(of: Callable[[tuple[Any, Any]], tuple[object, object]]) -> tuple[int, ...]:
        def pair() -> tuple[object, object]:
            kept.append(shield())
            return of(kept[-1])

        return _path(pair, 1)

    to_callback = hop(lambda pair: (pair[0], callback(pair)))
    to_cells = hop(lambda pair: (callback(pair), callback(pair).__closure__))
    to_cell = hop(inner_cell)
    to_inner = hop(lambda pair: (inner_cell(pair)[1], pair[1]))
    known = callback(shield())
    code_at = _native.offset_of(known, known.__code__)
    if code_at < 0:
        raise LookupError
    hops = (*to_callback, *to_cells, *to_cell, *to_inner)
    return [Fork(kind, hops, checked=1, check_at=code_at, check=known.__code__)]


def _waits(tasks: Any) -> list[Fork]:
    found = [_of_coroutine(tasks._wait, None)]
    # From 3.12 on it awaits in the task itself.
    if sys.version_info < (3, 12):
        found.append(_of_coroutine(tasks.wait_for, None))
    return found


def _task_group(taskgroups: Any) -> list[Fork]:
    def group() -> tuple[object, object]:
        made = taskgroups.TaskGroup()
        return made, made._tasks

    kind = taskgroups.TaskGroup
    return [_of_coroutine(getattr(kind, "_aexit", kind.__aexit__), group)]


def _anyio_group(backend: Any) -> list[Fork]:
    def group() -> tuple[object, object]:
        made = backend.TaskGroup()
        return made, made._tasks

    return [_of_coroutine(backend.TaskGroup.__aexit__, group)]


def _nursery(run: Any) -> list[Fork]:
    def nursery() -> tuple[object, object]:
        status = object()
        parent = SimpleNamespace(_child_nurseries=[], _cancel_status=status)
        made = run.Nursery._create(parent, SimpleNamespace(_cancel_status=status), True)
        return made, made._children

    return [_of_coroutine(run.Nursery._nested_child_finished, nursery)]


_LEARNERS: tuple[tuple[str, Callable[[Any], list[Fork]]], ...] = (
    ("asyncio.tasks", _gather),
    ("asyncio.tasks", _shield),
    ("asyncio.tasks", _waits),
    ("asyncio.taskgroups", _task_group),
    ("anyio._backends._asyncio", _anyio_group),
    ("trio._core._run", _nursery),
)
_found: dict[Callable[[Any], list[Fork]], list[Fork]] = {}
_tried: Counter[Callable[[Any], list[Fork]]] = Counter()


def known() -> tuple[Fork, ...]:
    """All forks of the modules that are loaded; what could not be learnt is left out."""
    for name, learn in _LEARNERS:
        module = sys.modules.get(name)
        if module is None or learn in _found or _tried[learn] >= TRIES:
            continue
        _tried[learn] += 1
        with contextlib.suppress(Exception):  # of a kind not met yet: chains end there
            _found[learn] = learn(module)
    return tuple(fork for found in _found.values() for fork in found)
