"""Starting and stopping, as the application asks for it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from flamespan.profiler import lifecycle
from flamespan.profiler.engine import MAX_DEPTH
from flamespan.profiler.errors import UsageError
from flamespan.profiler.lifecycle import Options, Session
from flamespan.profiler.recorder import Limits

F = TypeVar("F", bound=Callable[..., Any])

MAX_RATE_HZ = 1000


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
    path = lifecycle.end("stop")
    return None if path is None else Path(path)


def is_recording() -> bool:
    """Whether this process is being recorded."""
    return lifecycle.running() is not None


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
