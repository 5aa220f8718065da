"""Where a suspended task or greenlet stands, asked from Python: the chain to its innermost await.

Everything is read while the GIL is held, and nothing of it is kept: neither frames nor futures.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType
from typing import Any

MOST_LINKS = 128

_Place = tuple[str, str]

_Generators = (CoroutineType, GeneratorType, AsyncGeneratorType)
_AWAITS = {"cr": "cr_await", "gi": "gi_yieldfrom", "ag": "ag_await"}
_PREFIX = {CoroutineType: "cr", GeneratorType: "gi", AsyncGeneratorType: "ag"}


@dataclass(slots=True)
class Chain:
    """Code and instruction of each frame, outermost first, and what they say.

    ``ready``: what is awaited has happened, or the task only gave way. ``task`` is the one the
    chain ends in, where it went on in other tasks; ``many``: another one next time.
    """

    codes: list[CodeType] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    ready: bool = False
    truncated: bool = False
    task: Any = None
    many: bool = False


def of_task(task: Any, turn: int) -> Chain | None:
    """The chain of a task of asyncio's or trio's; ``turn`` chooses among several it waits for.

    None: it does not stand still.
    """
    chain = Chain()
    met = set()
    while task is not None and id(task) not in met:
        met.add(id(task))
        coroutine = _coroutine_of(task)
        found = _follow(chain, coroutine)
        if found is None and len(met) > 1:
            chain.ready = _is_new(coroutine)  # or it runs, or is over: the chain ends here
            break
        if found is None:
            return None
        chain.task = task
        if chain.truncated:
            break
        place, generator, awaited = found
        future = _future_of(awaited)
        if future is None and hasattr(task, "_fut_waiter"):
            chain.ready = task._fut_waiter is None
        elif future is not None and future.done():
            chain.ready = True
        if chain.ready:
            break
        task, turn = _next_task(chain, future, place, generator, turn)
    return chain if chain.codes else None


def _coroutine_of(task: Any) -> Any:
    return task.get_coro() if hasattr(task, "get_coro") else task.coro


def _follow(chain: Chain, object_: Any) -> tuple[_Place, Any, Any] | None:
    """Add the frames from a coroutine on: the place of the last, its generator, what that awaits.

    None: one of them does not stand still: it runs, is over, or has not begun.
    """
    last = None
    while object_ is not None:
        kind = next((kind for kind in _Generators if isinstance(object_, kind)), None)
        if kind is None:
            inner = unwrapped(object_)
            if inner is None:
                break
            object_ = inner
            continue
        frame = getattr(object_, f"{_PREFIX[kind]}_frame")
        if frame is None or not _is_suspended(object_, _PREFIX[kind]):
            return None
        if len(chain.codes) == MOST_LINKS:
            chain.truncated = True
            break
        chain.codes.append(frame.f_code)
        chain.places.append(frame.f_lasti)
        place = str(frame.f_globals.get("__name__")), frame.f_code.co_name
        last, object_ = (place, object_), getattr(object_, _AWAITS[_PREFIX[kind]])
    return None if last is None else (*last, object_)


def _is_suspended(generator: Any, prefix: str) -> bool:
    suspended = getattr(generator, f"{prefix}_suspended", None)
    if suspended is None:  # asynchronous generators up to 3.11
        suspended = generator.ag_await is not None
    return bool(suspended)


def _is_new(coroutine: Any) -> bool:
    prefix = _PREFIX.get(type(coroutine))
    if prefix is None or getattr(coroutine, f"{prefix}_frame") is None:
        return False
    running = getattr(coroutine, f"{prefix}_running")
    return not running and not _is_suspended(coroutine, prefix)


def unwrapped(awaited: Any) -> Any:
    """The coroutine or generator in what the interpreter puts around one."""
    if _future_of(awaited) is not None:
        return None
    for inner in gc.get_referents(awaited):
        if isinstance(inner, _Generators):
            return inner
        if type(inner).__name__ == "async_generator_asend":  # in that of anext() with a default
            return unwrapped(inner)
    return None


def _is_future(found: Any) -> bool:
    return hasattr(found, "_asyncio_future_blocking")


def _future_of(awaited: Any) -> Any:
    """The future of asyncio's that is awaited: by the iterator that it makes for that."""
    if awaited is None or isinstance(awaited, _Generators):
        return None
    if _is_future(awaited):
        return awaited
    if type(awaited).__name__ != "FutureIter":
        return None
    return next((found for found in gc.get_referents(awaited) if _is_future(found)), None)


def _next_task(
    chain: Chain, future: Any, place: _Place, generator: Any, turn: int
) -> tuple[Any, int]:
    """The task that the chain goes on in, and what is left of ``turn`` to choose with."""
    while future is not None and not hasattr(future, "get_coro"):
        future, turn = _chosen(chain, _children_of(future), turn)
    if future is None and not chain.ready:
        future, turn = _chosen(chain, _waited_for(place, generator), turn)
    return future, turn


def _chosen(chain: Chain, children: Iterable[Any], turn: int) -> tuple[Any, int]:
    every = [child for child in children if hasattr(child, "done") or hasattr(child, "coro")]
    left = [child for child in every if not (hasattr(child, "done") and child.done())]
    if not left:
        chain.ready = bool(every)  # nobody has told who waits for them so yet
        return None, turn
    chain.many |= len(left) > 1
    return left[turn % len(left)], turn // len(left)


def _children_of(future: Any) -> Iterable[Any]:
    """What a future stands for: those of ``gather``, the one of ``shield``."""
    children = getattr(future, "_children", None)
    if children is not None:
        return list(children)
    for callback, *_ in getattr(future, "_callbacks", None) or ():
        if getattr(callback, "__qualname__", "") == "shield.<locals>._outer_done_callback":
            cells = (cell.cell_contents for cell in callback.__closure__)
            return [found for found in cells if _is_future(found)]
    return ()


_GROUPS = {
    ("asyncio.taskgroups", "__aexit__"): "_tasks",
    ("asyncio.taskgroups", "_aexit"): "_tasks",
    ("anyio._backends._asyncio", "__aexit__"): "_tasks",
    ("trio._core._run", "_nested_child_finished"): "_children",
}
_WAITS = [("asyncio.tasks", "_wait")]
if sys.version_info < (3, 12):  # from then on it awaits in the task itself
    _WAITS.append(("asyncio.tasks", "wait_for"))


def _waited_for(place: _Place, generator: Any) -> list[Any]:
    """The tasks that a coroutine of asyncio's, anyio's or trio's waits for.

    Not by ``f_locals``: up to 3.12 that leaves a dictionary in the frame, which keeps its variables
    alive.
    """
    if place in _WAITS:
        found = gc.get_referents(generator)
        sets = [each for each in found if type(each) is set]
        return list(sets[0]) if sets else [each for each in found if hasattr(each, "get_coro")]
    attribute = _GROUPS.get(place)
    if attribute is None:
        return []
    groups = (getattr(each, attribute, None) for each in gc.get_referents(generator))
    return list(next((each for each in groups if isinstance(each, set)), ()))
