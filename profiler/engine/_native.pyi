"""The C core's contract; ``native/*.c`` keep it. ``native.py`` is its only user."""

from collections.abc import Callable
from contextvars import ContextVar
from types import CodeType
from typing import Any

class SpanCore:
    """What the sampler reads of a span, at places it knows."""

    parent: Any
    id: int
    strand: int
    end_ns: int

class Sampler:
    """A thread that samples this process without the GIL.

    ``leaf_depth`` and ``root_depth`` frames of a deep stack are kept. ``budget`` is a share of one
    core (0: no limit). ``ours`` and ``machinery`` are file names, one a line, whose frames at the
    root are left out. ``variable`` holds the active span. ``may_drop_files`` lets the sampler
    thread have a table of file descriptors of its own, which the fastest way of reading needs.

    Raises RuntimeError with the reason where it cannot be.
    """

    def __new__(
        cls,
        leaf_depth: int,
        root_depth: int,
        max_samples: int,
        max_passes: int,
        budget: float,
        ours: str,
        machinery: str,
        variable: ContextVar[Any] | None,
        may_drop_files: bool = True,
    ) -> Sampler: ...
    def start(self, interval_ns: int, /) -> None: ...
    def stop(self) -> None: ...
    def hide(self, ident: int, hidden: bool, /) -> None: ...
    def hold_new(self, hold: bool, /) -> None:
        """Do not look at threads that are new, until further notice."""

    def note_c_call(self, code: CodeType, unit: int, name: str, /) -> None:
        """Instruction ``unit`` of ``code`` calls the C function ``name``."""

    def set_await_types(
        self,
        wraps: tuple[tuple[type, int], ...],
        waiter: type | None,
        waiter_future: int,
        future_state: int,
        task: type | None,
        task_coroutine: int,
        /,
    ) -> None:
        """What leads from one coroutine to the next; see ``awaits.py``."""

    def drain(
        self, restart: bool, /
    ) -> tuple[
        tuple[int, int, int, int, bytes, bytes, bytes, bytes, bytes],
        tuple[int, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes],
    ]:
        """What was sampled since the last drain; with ``restart`` all ids begin anew.

        Definitions: first function, frame and stack; number of functions; functions, frame
        functions, frame lines, stack parents, stack frames. Samples: start, then the columns of
        ``model.Samples`` in their order.
        """

    def wait_births(self, timeout_s: float, /) -> bool:
        """Wait for threads that were not told yet; False: there are none."""

    def births(self) -> list[tuple[int, int, int, int]]:
        """Take the threads not told yet: index, ident, system id, interpreter id."""

    def alive(self) -> list[int]:
        """Indexes of the threads there are."""

    def stats(self) -> dict[str, int]: ...

def line_of(table: bytes, first_line: int, unit: int, /) -> int:
    """The line of instruction ``unit`` in a location table (PEP 626)."""

def use_greenlets(getcurrent: Callable[[], object], /) -> None:
    """Transactions entered in greenlets are sampled where these wait."""

def offset_of(holder: object, target: object, /) -> int:
    """Where in its fixed part ``holder`` points to ``target``; -1: nowhere."""

def offset_of_ints(a: object, b: object, c: object, x: int, y: int, z: int, /) -> int:
    """Where ``a``, ``b``, ``c``, of one type, hold these C ints; -1: not at exactly one place."""
