"""The engine contract: what takes the samples, whichever way it can; and the choice of one."""

from __future__ import annotations

from typing import Protocol

from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Batch, Stats

MAX_DEPTH = (200, 56)
"""How many frames of a deep stack are kept: next to the leaf, next to the root."""


class Engine(Protocol):
    """Takes samples of all threads of this process. The rest knows no more of it than this.

    One engine serves one recording. ``start`` and ``stop`` may alternate (a fork pauses it);
    ids and counters go on. ``name`` says which engine it is, ``span_rule`` how a sample gets its
    span, ``state_rule`` how a thread's state is told: the header keeps all three.
    """

    name: str
    span_rule: str
    state_rule: str
    tick_ns: int

    @property
    def wants_restart(self) -> bool:
        """The tables have grown large: ``drain(restart=True)`` soon, into a new file."""
        ...

    def hide(self, ident: int) -> None:
        """Leave the thread with Python's ``ident`` out of the samples, it is one of ours."""
        ...

    def unhide(self, ident: int) -> None:
        """The hidden thread is about to end: its ident may become another thread's."""
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


def choose(name: str = "auto", max_depth: tuple[int, int] = MAX_DEPTH) -> tuple[Engine, str]:
    """The engine called ``name`` ("auto": the best one here), and why it is not a better one.

    Raises UsageError for a name there is no engine of.
    """
    if name not in ("auto", "python"):
        raise UsageError(f"no engine called {name!r} here: use engine='python' or engine='auto'")
    from flamespan.profiler.engine.python import PythonEngine  # noqa: PLC0415 - loaded where chosen

    reason = "asked for" if name == "python" else "the only engine of this version"
    return PythonEngine(max_depth), reason
