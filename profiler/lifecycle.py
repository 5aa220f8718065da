"""The life of a process's one recording: begin, fork, end."""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import importlib
import logging
import os
import re
import threading
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from flamespan.profiler import active, control, environment, lastthread
from flamespan.profiler import engine as engines
from flamespan.profiler.choosing import Choice, Chooser
from flamespan.profiler.engine import CONTEXT_RULE, Engine, threads
from flamespan.profiler.errors import UsageError
from flamespan.profiler.model import Header
from flamespan.profiler.recorder import Limits, Recorder
from flamespan.profiler.scrubbing import Scrub, Scrubber
from flamespan.profiler.spanlog import SpanLog

MODES = ("continuous", "transactions")

REFUSED = {
    getattr(errno, name, -1)
    for name in ("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE")
}
"""What the system may refuse today and not tomorrow: no reason for an application not to start."""

_lock = threading.RLock()
_running: Session | None = None
_hooked = False
_door: ModuleType | None = None  # ``controlled``, where this process can be told
_door_waited = False
_os_exit = os._exit
_uvicorn: ModuleType | None = None  # ``integrations.uvicorn``, once something has been recorded


@dataclass(frozen=True)
class Options:
    """What a recording was asked for; a child process starts its own with the same."""

    directory: str
    rate_hz: float
    service: str | None
    release: str | None
    environment: str | None
    engine: str
    budget: float
    c_calls: bool
    max_depth: tuple[int, int]
    limits: Limits
    mode: str
    transaction_sample_rate: float | Choice
    max_spans_per_s: int
    max_open_spans: int
    scrub: Scrub | str | None


class Session:
    """The parts of one recording, and what happens to them at fork and at the end."""

    def __init__(self, options: Options, log: SpanLog, parent: Header | None = None) -> None:
        self.options = options
        self.log = log
        self.engine, reason = engines.choose(
            options.engine, options.max_depth, options.budget, c_calls=options.c_calls
        )
        self.interval_ns = max(round(1e9 / options.rate_hz), self.engine.min_interval_ns)
        if parent is None:
            self.header = _header(options, self.interval_ns, self.engine, reason)
        else:
            self.header = environment.child_of(parent)
        if options.mode == "transactions":
            self.engine.sleep_between(log)
        stem = file_stem(self.header)
        self.recorder = Recorder(
            self.engine,
            log,
            os.path.join(options.directory, stem),
            self.header,
            options.limits,
            None if options.scrub is None else Scrubber(options.scrub),
        )
        self.recorder.after_flush = self._after_flush

    def _after_flush(self) -> None:
        if _running is not self:
            return
        if lastthread.is_over():
            end("exit")
            return
        if _uvicorn is not None:
            _uvicorn.end_with_it()
        if _door is not None:
            _door.poll(self)

    def run(self) -> None:
        """Set sampler and recorder going."""
        self.engine.start(self.interval_ns)
        self.recorder.start()

    def take_spans(self) -> None:
        """Have the spans that are opened from now on."""
        share, log = self.options.transaction_sample_rate, self.log
        log.chooser = Chooser(share) if callable(share) else None
        active.record_into(
            log,
            # The native engine reads contexts; only the Python one needs tables kept for it.
            by_thread=self.engine.span_rule != CONTEXT_RULE,
            rate=1.0 if callable(share) else share,
            decide=log.chooser,
        )

    def pause(self) -> None:
        """End both threads, to go on with ``run``."""
        self.engine.stop()
        self.recorder.pause()

    def stop(self, reason: str) -> None:
        """End the recording and close its file."""
        self.engine.stop()
        self.recorder.stop(reason)
        self.recorder.after_flush = None  # else what it holds, megabytes, waits for the collector
        self.log.ended = True


def running() -> Session | None:
    """The recording of this process, if there is one."""
    return _running


def begin(options: Options) -> Session:
    """Start recording. Raises UsageError where that cannot be, or something is recording."""
    global _running  # noqa: PLW0603 - one recording per process
    watch()  # before the lock: a fork in another thread must not copy it locked
    with _lock:
        if _running is not None:
            raise UsageError(
                f"already recording to {_running.recorder.path or _running.options.directory}: "
                "stop() that recording first"
            )
        session = Session(options, SpanLog(options.max_spans_per_s, options.max_open_spans))
        try:
            session.recorder.open()
        except OSError as error:
            if error.errno not in REFUSED:
                raise UsageError(
                    f"cannot record to {options.directory}: {error.strerror or error}; "
                    "name a folder that can be written"
                ) from error
            session.recorder.give_up(error)
        try:
            session.run()
        except RuntimeError as error:  # no more threads
            session.stop("stop")
            raise UsageError(f"cannot record: {error}") from error
        _import_all()
        _running = session
        session.take_spans()
        if control.is_wanted():
            open_door()
        return session


def end(reason: str, only: Session | None = None) -> str | None:
    """Stop recording (``only`` if it is that one) and return the path of the last file."""
    global _running  # noqa: PLW0603 - as above
    with _lock:
        session = _running
        if session is None or (only is not None and session is not only):
            return None
        _running = None
        active.record_into(None)
        session.stop(reason)
        if _door is not None:
            _door.ended(reason)
        return session.recorder.path


def open_door() -> None:
    """Have this process answer ``flamespan control``."""
    global _door  # noqa: PLW0603 - one per process
    # Now, since a child of fork cannot import; and here, since it needs this module.
    _door = importlib.import_module("flamespan.profiler.controlled")


def _import_all() -> None:
    """Look up every public name, so that none is imported later.

    A child of fork that has to import what another thread was importing waits for ever.
    """
    global _uvicorn  # noqa: PLW0603 - here, since it needs this module
    _uvicorn = importlib.import_module("flamespan.profiler.integrations.uvicorn")
    package = importlib.import_module("flamespan.profiler")
    for name in package.__all__:
        getattr(package, name)


def watch() -> None:
    """Be told of exit and fork; once, since there is no way to take it back."""
    global _hooked  # noqa: PLW0603
    if _hooked:
        return
    _hooked = True
    atexit.register(end, "exit")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child
        )


def _before_fork() -> None:
    """No thread of ours is there when the process is copied, and no lock of ours is held."""
    global _door_waited  # noqa: PLW0603 - from here to the end of the fork
    _door_waited = _door is not None and _door.DOOR.pause()
    lastthread.before_fork()
    if _running is not None:
        _running.pause()


def _after_fork() -> None:
    if _door is not None and _door_waited:
        with contextlib.suppress(RuntimeError):  # no more threads
            _door.DOOR.wait()
    if _running is not None:
        _running.run()


def _in_child() -> None:
    """A child gets its own recording; its file is made when there is something to write."""
    global _lock, _running  # noqa: PLW0603
    _lock = threading.RLock()
    lastthread.in_child(functools.partial(end, "exit"))
    parent, _running = _running, None
    if _door is not None:
        with contextlib.suppress(OSError, RuntimeError):
            _door.in_child(was_waiting=_door_waited)
    if parent is None:
        return
    parent.recorder.abandon()
    if _uvicorn is not None:
        _uvicorn.end_with_it()
    active.after_fork()
    threads.after_fork()
    parent.log.after_fork(active.ACTIVE.get())
    try:
        _running = Session(parent.options, parent.log, parent.header)
        _running.take_spans()  # anew, since children shall not all choose alike
        _running.run()
    except Exception:
        _running = None
        active.record_into(None)
        logging.getLogger("flamespan").warning("this child is not recorded", exc_info=True)
        return
    os._exit = _exit_recorded


def _exit_recorded(status: int) -> NoReturn:
    """``os._exit`` of a child of fork: how those leave (multiprocessing's, RQ's), past atexit."""
    with contextlib.suppress(Exception):
        end("exit")
    _os_exit(status)


def file_stem(header: Header) -> str:
    """Name of a recording's files: service, host, process and start, safe on any system."""
    start = time.strftime("%Y%m%dT%H%M%S", time.gmtime(header.start_wall_ns // 10**9))
    micros = header.start_wall_ns // 1000 % 10**6
    words = (header.service, header.host, str(header.pid), f"{start}.{micros:06d}Z")
    return "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", word)[:60].lstrip(".") for word in words)


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
        choice=_choice(options),
    )


def _choice(options: Options) -> dict[str, Any]:
    """The header's fields on how transactions are recorded."""
    share = options.transaction_sample_rate
    if callable(share):
        return {"mode": options.mode, "transaction_sampler": Chooser(share).name}
    return {"mode": options.mode, "transaction_sample_rate": float(share)}
