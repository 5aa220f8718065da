"""Starting and stopping, as the application asks for it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from flamespan.profiler import lifecycle
from flamespan.profiler.choosing import Choice
from flamespan.profiler.engine import MAX_DEPTH
from flamespan.profiler.errors import UsageError
from flamespan.profiler.lifecycle import Options, Session
from flamespan.profiler.recorder import Limits
from flamespan.profiler.scrubbing import Scrub, is_scrub
from flamespan.profiler.spanlog import MAX_OPEN, MAX_SPANS

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")

MAX_RATE_HZ = 10_000
MAX_BUDGET = 100.0
MAX_BOUND = 10_000_000
BUDGET_PER_100_HZ = 0.01
"""Unless told otherwise sampling may cost 1 % of a core for each 100 Hz that are asked for."""


def stop() -> Path | None:
    """End the recording and return its (last) sample file; None when nothing was running."""
    path = lifecycle.end("stop")
    return None if path is None else Path(path)


def flush() -> None:
    """Write what was recorded so far to the file now, rather than within a second.

    For programs that know that they are about to be killed: whoever ends by a signal that nothing
    handles runs nothing at its end. Without a recording nothing happens.
    """
    session = lifecycle.running()
    if session is not None:
        session.recorder.flush()


def is_recording() -> bool:
    """Whether this process is being recorded."""
    return lifecycle.running() is not None


class Profiler:
    """Record this process, all its threads, until ``stop()`` or its end.

    ``start()`` takes the same, and begins at once. A ``Profiler`` begins with ``start()``, as a
    context manager around a block, or as a decorator around each call of a function.

    Args:
        directory: folder for the sample files; made if missing, readable by the owner only.
        rate_hz: samples a second of each thread, 1 to 10000. The Python engine reaches a few
            hundred.
        service: what the program is called in reports; default: the main script's name.
        release: version of the program, for comparisons.
        environment: where it runs ("production").
        engine: "native" (reads stacks without the GIL), "python" (any Python can run it), or
            "auto": the native one where it proves itself, else the other and a line in the log.
        budget: share of one core (of as many as the application uses) that sampling may cost;
            passes become rarer where it would cost more. 0: no limit. None: 1 % up to 100 Hz,
            and more in proportion for a higher rate. The native engine only.
        c_calls: show the C function that a stack ends in, as ``time.sleep`` below the function
            that called it. Python 3.12 or later, the native engine only.
        max_depth: frames kept of deep stacks, next to the leaf and next to the root.
        max_file_bytes: size at which a new file is begun.
        max_file_age_s: age in seconds at which a new file is begun; 0: none.
        max_folder_bytes: what the sample files of the folder may hold together, whoever wrote them;
            the oldest that nobody is writing are removed. 0: any amount.
        mode: "continuous", or "transactions": the sampler sleeps while no transaction is open.
        transaction_sample_rate: share of the transactions to record, 0 to 1; or a function
            ``(name, op, tags) -> bool | float`` that is asked when one begins (of a request, whose
            route is not known yet, ``tags`` hold "http.method" and "url.path", which are not kept).
            One that is not chosen has no spans, nor has what runs on its behalf; its samples belong
            to no transaction, and in "transactions" mode are not kept. Where the function raises,
            the transaction is recorded and the error counted, and logged once.
        max_spans_per_s: spans that are kept a second (transactions are spans); more are dropped
            and counted, as are tags and measurements.
        max_open_spans: spans that may be open at once; more are dropped and counted.
        scrub: a function ``(kind, key, text) -> str | None``, or "module:function", that each name
            of a transaction, description of a span and value of a tag passes through before it is
            written; None drops it. ``kind`` is "name", "description" or "tag"; ``key`` the op, or
            the tag's key. It is asked once for each different text, by the thread that writes;
            where it raises, the text is not written and the error counted, and logged once.

    Raises:
        UsageError: an option or folder that cannot be, or a recording that is running already.

    Where the system refuses to write (disk full, folder read-only, no rights, no more open files),
    now or later, the application goes on: one line of the log says so, ``flamespan control PID
    status`` too while it lasts, and it is tried again within a minute at most.
    """

    _session: Session | None = None

    def __init__(
        self,
        directory: str | os.PathLike[str] = "profiles",
        rate_hz: float = 100,
        *,
        service: str | None = None,
        release: str | None = None,
        environment: str | None = None,
        engine: str = "auto",
        budget: float | None = None,
        c_calls: bool = False,
        max_depth: tuple[int, int] = MAX_DEPTH,
        max_file_bytes: int = Limits.max_bytes,
        max_file_age_s: float = Limits.max_age_s,
        max_folder_bytes: int = Limits.max_folder_bytes,
        mode: str = "continuous",
        transaction_sample_rate: float | Choice = 1.0,
        max_spans_per_s: int = MAX_SPANS,
        max_open_spans: int = MAX_OPEN,
        scrub: Scrub | str | None = None,
    ) -> None:
        self._options = Options(
            os.path.abspath(os.fspath(directory)),
            rate_hz,
            service,
            release,
            environment,
            engine,
            default_budget(rate_hz) if budget is None else budget,
            c_calls,
            max_depth,
            Limits(max_file_bytes, max_file_age_s, max_folder_bytes),
            mode,
            transaction_sample_rate,
            max_spans_per_s,
            max_open_spans,
            scrub,
        )
        check(self._options)

    @property
    def service(self) -> str:
        """What the program is called in reports ("" before the recording has begun)."""
        session = self._session
        return session.header.service if session is not None else ""

    @property
    def options(self) -> Options:
        """What was asked for."""
        return self._options

    @property
    def path(self) -> Path | None:
        """The sample file that is being written, or was; None before the start."""
        path = None if self._session is None else self._session.recorder.path
        return None if path is None else Path(path)

    def start(self) -> None:
        """Begin. Raises UsageError where that cannot be, or where something is recording."""
        self._session = lifecycle.begin(self._options)

    def stop(self) -> Path | None:
        """End this recording, if it is the one that runs."""
        if self._session is not None:
            lifecycle.end("stop", only=self._session)
        return self.path

    def __enter__(self) -> Profiler:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __call__(self, function: F) -> F:
        """Record each call of ``function``, into a file of its own."""

        @functools.wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast("F", recorded)


def _begin(make: Callable[P, Profiler]) -> Callable[P, Profiler]:
    def start(*args: P.args, **kwargs: P.kwargs) -> Profiler:
        profiler = make(*args, **kwargs)
        profiler.start()
        return profiler

    return functools.update_wrapper(start, make, assigned=("__doc__",), updated=())


start = _begin(Profiler)


def default_budget(rate_hz: float) -> float:
    """The share of one core that sampling may cost at this rate, if nobody said otherwise."""
    return BUDGET_PER_100_HZ * max(1.0, rate_hz / 100) if isinstance(rate_hz, (int, float)) else 0


def check(options: Options) -> None:
    """Raises UsageError for an option that cannot be."""
    rate = options.rate_hz
    if not isinstance(rate, (int, float)) or not 1 <= rate <= MAX_RATE_HZ:
        raise UsageError(f"a rate of {rate!r} Hz cannot be: give 1 to {MAX_RATE_HZ}")
    budget = options.budget
    if not isinstance(budget, (int, float)) or not 0 <= budget <= MAX_BUDGET:
        raise UsageError(f"budget={budget!r}: give a share of one core, as 0.01, or 0 for no limit")
    _check_spans(options)
    _check_limits(options.limits)
    depth = options.max_depth
    if (
        not isinstance(depth, tuple)
        or len(depth) != 2
        or not all(isinstance(n, int) and 0 < n <= 10_000 for n in depth)
    ):
        raise UsageError(f"max_depth={depth!r}: give two numbers from 1 to 10000, as (200, 56)")
    for name in ("service", "release", "environment"):
        value = getattr(options, name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name}={value!r}: give text")


def _check_limits(limits: Limits) -> None:
    size, age_s, limit = limits.max_bytes, limits.max_age_s, limits.max_folder_bytes
    if not isinstance(size, int) or size < 1:
        raise UsageError(f"max_file_bytes={size!r}: give a number of bytes")
    if not isinstance(age_s, (int, float)) or not 0 <= age_s < float("inf"):
        raise UsageError(f"max_file_age_s={age_s!r}: give seconds, 0 for any age")
    if not isinstance(limit, int) or limit < 0:
        raise UsageError(f"max_folder_bytes={limit!r}: give a number of bytes, 0 for any amount")


def _check_spans(options: Options) -> None:
    if options.mode not in lifecycle.MODES:
        raise UsageError(f"no mode {options.mode!r}: use {' or '.join(map(repr, lifecycle.MODES))}")
    share = options.transaction_sample_rate
    if not callable(share) and (not isinstance(share, (int, float)) or not 0 <= share <= 1):
        raise UsageError(
            f"transaction_sample_rate={share!r}: give a share from 0 to 1, or a function"
        )
    if options.scrub is not None and not is_scrub(options.scrub):
        raise UsageError(f"scrub={options.scrub!r}: give a function, or 'module:function'")
    for name in ("max_spans_per_s", "max_open_spans"):
        bound = getattr(options, name)
        if not isinstance(bound, int) or not 1 <= bound <= MAX_BOUND:
            raise UsageError(f"{name}={bound!r}: give a number from 1 to {MAX_BOUND}")
