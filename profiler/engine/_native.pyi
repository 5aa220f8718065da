"""The C core's contract; ``native/*.c`` keep it. ``native.py`` is its only user."""

from collections.abc import Callable
from contextvars import ContextVar
from types import CodeType
from typing import Any

class SpanCore:
    """What the sampler reads of a span, at places it knows."""

    parent: Any
    id: int
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
    def note_c_call(self, code: CodeType, unit: int, name: str, /) -> None:
        """Instruction ``unit`` of ``code`` calls the C function ``name``."""

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

    def births(self) -> list[tuple[int, int, int, int]]:
        """Take the threads not told yet, but for helpers.

        Of each: index, ident, system id, interpreter id.
        """

    def alive(self) -> list[int]:
        """Indexes of the threads there are."""

    def stats(self) -> dict[str, int]: ...

class Helper:
    """A thread that calls ``function``, and that Python sees only while it does.

    The first call comes after ``first_s`` seconds, each other one as many seconds after the one
    before as that returned. NaN, or None returned: when ``sampler`` has births to tell, and not
    before ``births_every_s``. What ``function`` raises goes to ``sys.unraisablehook``.

    Raises RuntimeError where the system gives no thread.
    """

    def __new__(
        cls,
        sampler: Sampler,
        function: Callable[[], float | None],
        name: str,
        first_s: float = ...,
        births_every_s: float = 0.0,
    ) -> Helper: ...
    def stop(self, timeout_s: float, /) -> bool:
        """No more calls; False: one goes on after ``timeout_s``."""

def line_of(table: bytes, first_line: int, unit: int, /) -> int:
    """The line of instruction ``unit`` in a location table (PEP 626)."""
