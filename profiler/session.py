"""Starting and stopping: one recording per process, from an engine, a recorder and the spans."""

from __future__ import annotations

import atexit
import functools
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from flamespan.profiler import active, environment
from flamespan.profiler import engine as engines
from flamespan.profiler.engine import MAX_DEPTH, Engine
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Header
from flamespan.profiler.recorder import Limits, Recorder
from flamespan.profiler.spanlog import SpanLog

F = TypeVar("F", bound=Callable[..., Any])

MAX_RATE_HZ = 1000

_lock = threading.RLock()
_running: Session | None = None
_hooked = False


@dataclass(frozen=True)
class Options:
    """What a recording was asked for; a child process starts its own with the same."""

    directory: str
    rate_hz: float
    service: str | None
    release: str | None
    environment: str | None
    engine: str
    max_depth: tuple[int, int]
    limits: Limits


class Session:
    """The parts of one recording, and what happens to them at fork and at the end."""

    def __init__(self, options: Options, log: SpanLog) -> None:
        self.options = options
        self.log = log
        self.interval_ns = round(1e9 / options.rate_hz)
        self.engine, reason = engines.choose(options.engine, options.max_depth)
        self.header = _header(options, self.interval_ns, self.engine, reason)
        stem = file_stem(self.header)
        self.recorder = Recorder(
            self.engine, log, os.path.join(options.directory, stem), self.header, options.limits
        )

    def run(self) -> None:
        """Set sampler and recorder going."""
        self.engine.start(self.interval_ns)
        self.recorder.start()

    def pause(self) -> None:
        """End both threads, to go on with ``run``."""
        self.engine.stop()
        self.recorder.pause()

    def stop(self, reason: str) -> None:
        """End the recording and close its file."""
        self.engine.stop()
        self.recorder.stop(reason)


def start(
    directory: str | os.PathLike[str] = "profiles",
    rate_hz: float = 100,
    *,
    service: str | None = None,
    release: str | None = None,
    environment: str | None = None,
    engine: str = "auto",
    max_depth: tuple[int, int] = MAX_DEPTH,
    max_file_bytes: int = Limits.max_bytes,
    max_file_age_s: float = Limits.max_age_s,
) -> Profiler:
    """Record this process, all its threads, until ``stop()`` or its end.

    Args:
        directory: folder for the sample files; made if missing, readable by the owner only.
        rate_hz: samples a second of each thread, 1 to 1000.
        service: what the program is called in reports; default: the main script's name.
        release: version of the program, for comparisons.
        environment: where it runs ("production").
        engine: "auto", or "python" for the sampler that any Python can run.
        max_depth: frames kept of deep stacks, next to the leaf and next to the root.
        max_file_bytes: size at which a new file is begun.
        max_file_age_s: age in seconds at which a new file is begun; 0: none.

    Raises:
        UsageError: an option that cannot be, a folder that cannot be written, or a recording
            that is running already.
    """
    profiler = Profiler(
        directory,
        rate_hz,
        service=service,
        release=release,
        environment=environment,
        engine=engine,
        max_depth=max_depth,
        max_file_bytes=max_file_bytes,
        max_file_age_s=max_file_age_s,
    )
    profiler.start()
    return profiler


def stop() -> Path | None:
    """End the recording and return its (last) sample file; None when nothing was running."""
    return _stop("stop")


def is_recording() -> bool:
    """Whether this process is being recorded."""
    return _running is not None


class Profiler:
    """A recording as a context manager, or as a decorator around a function's calls.

    Takes what ``start()`` takes. ``path`` is the sample file that is being written, or was.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] = "profiles",
        rate_hz: float = 100,
        *,
        service: str | None = None,
        release: str | None = None,
        environment: str | None = None,
        engine: str = "auto",
        max_depth: tuple[int, int] = MAX_DEPTH,
        max_file_bytes: int = Limits.max_bytes,
        max_file_age_s: float = Limits.max_age_s,
    ) -> None:
        self._options = Options(
            os.path.abspath(os.fspath(directory)),
            rate_hz,
            service,
            release,
            environment,
            engine,
            max_depth,
            Limits(max_file_bytes, max_file_age_s),
        )
        _check(self._options)
        self._session: Session | None = None

    @property
    def path(self) -> Path | None:
        """The sample file; None before the start."""
        path = None if self._session is None else self._session.recorder.path
        return None if path is None else Path(path)

    def start(self) -> None:
        """Begin; see ``flamespan.profiler.start``."""
        self._session = _start(self._options)

    def stop(self) -> Path | None:
        """End this recording, if it is the one that runs."""
        with _lock:
            if self._session is not None and _running is self._session:
                _stop("stop")
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


def file_stem(header: Header) -> str:
    """Name of a recording's files: service, host, process and start, safe on any system."""
    start = time.strftime("%Y%m%dT%H%M%S", time.gmtime(header.start_wall_ns // 10**9))
    micros = header.start_wall_ns // 1000 % 10**6
    words = (header.service, header.host, str(header.pid), f"{start}.{micros:06d}Z")
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", word)[:60].lstrip(".") for word in words)


def _check(options: Options) -> None:
    rate = options.rate_hz
    if not isinstance(rate, (int, float)) or not 1 <= rate <= MAX_RATE_HZ:
        raise UsageError(f"a rate of {rate!r} Hz cannot be: give 1 to {MAX_RATE_HZ}")
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


def _header(options: Options, interval_ns: int, engine: Engine, reason: str) -> Header:
    return environment.header(
        interval_ns=interval_ns,
        tick_ns=engine.tick_ns,
        max_depth=sum(options.max_depth),
        engine={
            "name": engine.name,
            "reason": reason,
            "span_rule": engine.span_rule,
            "state_rule": engine.state_rule,
        },
        service=options.service,
        release=options.release,
        environment=options.environment,
    )


def _start(options: Options) -> Session:
    global _running  # noqa: PLW0603 - one recording per process
    with _lock:
        if _running is not None:
            raise UsageError(
                f"already recording to {_running.recorder.path or _running.options.directory}: "
                "stop() that recording first"
            )
        try:
            os.makedirs(options.directory, mode=0o700, exist_ok=True)
            session = Session(options, SpanLog())
            session.recorder.open()
        except OSError as error:
            raise UsageError(
                f"cannot record to {options.directory}: {error.strerror or error}; "
                "name a folder that can be written"
            ) from error
        try:
            session.run()
        except RuntimeError as error:  # no more threads
            session.stop("stop")
            raise UsageError(f"cannot record: {error}") from error
        _hook()
        _running = session
        active.record_into(session.log)
        return session


def _stop(reason: str) -> Path | None:
    global _running
    with _lock:
        session, _running = _running, None
        if session is None:
            return None
        active.record_into(None)
        session.stop(reason)
        path = session.recorder.path
        return None if path is None else Path(path)


def _hook() -> None:
    """Be told of exit and fork; once, since there is no way to take it back."""
    global _hooked  # noqa: PLW0603
    if _hooked:
        return
    _hooked = True
    atexit.register(_stop, "exit")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child
        )


def _before_fork() -> None:
    """No thread of ours is there when the process is copied, and no lock of ours is held."""
    if _running is not None:
        _running.pause()


def _after_fork() -> None:
    if _running is not None:
        _running.run()


def _in_child() -> None:
    """A child gets its own recording; its file is made when there is something to write."""
    global _lock, _running  # noqa: PLW0603
    _lock = threading.RLock()
    parent, _running = _running, None
    if parent is None:
        return
    active.after_fork()
    parent.log.after_fork(active.ACTIVE.get())
    _running = Session(parent.options, parent.log)
    _running.run()
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:
        multiprocessing.register_after_fork(_running, _stop_with_multiprocessing)


def _stop_with_multiprocessing(_: Session) -> None:
    """Children of multiprocessing leave through ``os._exit``, past atexit, but tell their own."""
    finalize = sys.modules["multiprocessing.util"].Finalize
    finalize(None, _stop, args=("exit",), exitpriority=-1000)
