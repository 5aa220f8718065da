"""The engine contract: what takes the samples, whichever way it can; and the choice of one."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Protocol

from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Batch, Stats
from flamespan.profiler.spanlog import SpanLog

MAX_DEPTH = (200, 56)
"""How many frames of a deep stack are kept: next to the leaf, next to the root."""

CONTEXT_RULE = "context"
"""``span_rule`` of an engine that reads the active span from each thread's own context."""


class Helper(Protocol):
    """A thread of our own that calls a function now and then; see ``Engine.call_regularly``."""

    def stop(self, timeout_s: float, /) -> bool:
        """No more calls; False: one is still under way after ``timeout_s``."""
        ...


class Engine(Protocol):
    """Takes samples of all threads of this process. The rest knows no more of it than this.

    One engine serves one recording. ``start`` and ``stop`` may alternate (a fork pauses it);
    ids and counters go on. ``name`` says which engine it is, ``span_rule`` how a sample gets its
    span, ``state_rule`` how a thread's state is told: the header keeps all three. A shorter
    interval than ``min_interval_ns`` is more than it can do.
    """

    name: str
    span_rule: str
    state_rule: str
    tick_ns: int
    min_interval_ns: int

    @property
    def wants_restart(self) -> bool:
        """The tables have grown large: ``drain(restart=True)`` soon, into a new file."""
        ...

    def call_regularly(
        self, function: Callable[[], float | None], first_s: float, name: str
    ) -> Helper:
        """Call ``function`` in a thread of our own, which no sample shows.

        The first call comes after ``first_s`` seconds, each other one as many seconds after the
        one before as that returned. Raises RuntimeError where the system gives no thread.
        """
        ...

    def sleep_between(self, log: SpanLog) -> None:
        """Sleep while no transaction of ``log`` is open. To be called before the first start."""
        ...

    def start(self, interval_ns: int) -> None:
        """Begin to sample; returns when threads are watched. Starting twice does nothing.

        Raises RuntimeError where the system gives no thread.
        """
        ...

    def stop(self) -> None:
        """End sampling at once; what was sampled can still be drained."""
        ...

    def drain(self, *, restart: bool = False) -> Batch:
        """What was sampled since the last drain, with the definitions it needs.

        With ``restart`` all ids begin anew after this batch: the next one opens a new file.
        Only one thread may drain.
        """
        ...

    def stats(self) -> Stats:
        """Counters since the first start; the fields that an engine knows."""
        ...


def choose(
    name: str = "auto",
    max_depth: tuple[int, int] = MAX_DEPTH,
    budget: float = 0.0,
    *,
    c_calls: bool = False,
) -> tuple[Engine, str]:
    """The engine called ``name`` ("auto": the best one here), and why it is not a better one.

    ``budget`` is the share of one core that sampling may cost (0: no limit); ``c_calls`` asks for
    the names of C functions. Only the native engine knows either.
    Raises UsageError for a name there is no engine of, and where "native" cannot work here.
    """
    if name not in ("auto", "native", "python"):
        raise UsageError(
            f"no engine called {name!r}: use engine='auto', engine='native' or engine='python'"
        )
    reason = "asked for"
    if name != "python":
        trouble = _why_not_native()
        if not trouble:
            from flamespan.profiler.engine.native import NativeEngine  # noqa: PLC0415

            engine = NativeEngine(max_depth, budget, c_calls=c_calls)
            return engine, reason if name == "native" else "proven here"
        if name == "native":
            raise UsageError(f"the native engine cannot work here: {trouble}")
        reason = trouble
    from flamespan.profiler.engine.python import PythonEngine  # noqa: PLC0415 - loaded where chosen

    return PythonEngine(max_depth), reason


@functools.cache
def _why_not_native() -> str:
    """Why the native engine is not to be used in this process; "" if it has proven itself."""
    try:
        from flamespan.profiler.engine import proof  # noqa: PLC0415 - needs the C core
    except ImportError:
        trouble = "the C core is not installed (there was no C compiler for it)"
    else:
        trouble = proof.trouble()
    if trouble:
        # Once a process: it is not the application's fault, and it works without.
        logging.getLogger("flamespan").warning("recording with the Python engine: %s", trouble)
    return trouble
