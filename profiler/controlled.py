"""What a process does when it is told to start, stop, report or show its stacks; and when.

``listen()`` opens the door of a program that does not record yet. A recording opens it itself.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from flamespan.profiler import asking, asynctasks, control, lifecycle, session
from flamespan.profiler.control import Door
from flamespan.profiler.errors import UsageError
from flamespan.profiler.lifecycle import Options, Session

_options: Options | None = None
_listens = False


def listen(signal: int | None = None, **options: Any) -> None:
    """Let ``flamespan control PID start`` begin a recording of this process, and of its children.

    ``options`` are those of ``profiler.start``, for when it is told to. With ``signal`` (as
    ``signal.SIGUSR2``) that signal starts, and stops, too; only the main thread may ask for that.
    Raises UsageError for options that cannot be, and where there are no such sockets.
    """
    global _options, _listens  # noqa: PLW0603 - one per process
    if not asking.SUPPORTED:
        raise UsageError("flamespan control needs Linux: its sockets tell who is at the other end")
    _options = session.Profiler(**options).options
    _listens = True
    lifecycle.watch()
    lifecycle.open_door()
    if signal is not None:
        control.on_signal(signal, _toggle)
    try:
        DOOR.open()
    except OSError as error:
        raise UsageError(f"cannot listen in {asking.folder()}: {error}") from error
    if lifecycle.running() is None:
        DOOR.wait()


def poll(running: Session) -> None:
    """After a flush of a recording: answer who has called."""
    global _options  # noqa: PLW0603
    _options = _options or running.options
    DOOR.poll()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request. Raises UsageError for one that cannot be."""
    name = request.get("command")
    if name not in COMMANDS:
        raise UsageError(f"no command {name!r}; there are: {', '.join(COMMANDS)}")
    return COMMANDS[name](request)


def ended(reason: str) -> None:
    """A recording is over: whoever may want another waits for that, else nobody need call."""
    if _listens or reason in ("control", "signal"):
        DOOR.wait()
    else:
        DOOR.close(for_good=reason == "exit")


def in_child(*, was_waiting: bool) -> None:
    """In a child of fork: its door is its own, and open at once where the parent's was."""
    DOOR.after_fork()
    if was_waiting:
        DOOR.open()
        DOOR.wait()


def _is_recording() -> bool:
    return lifecycle.running() is not None


def _start(request: dict[str, Any]) -> dict[str, Any]:
    if lifecycle.running() is not None:
        raise UsageError("already recording: stop that first")
    options = _options or session.Profiler().options
    if request.get("directory"):
        options = replace(options, directory=str(request["directory"]))
    if request.get("rate_hz"):
        rate = float(request["rate_hz"])
        options = replace(options, rate_hz=rate, budget=session.default_budget(rate))
    session.check(options)
    begun = lifecycle.begin(options)
    return {"recording": True, "path": begun.recorder.path}


def _stop(_: dict[str, Any]) -> dict[str, Any]:
    if lifecycle.running() is None:
        raise UsageError("nothing is recording")
    return {"recording": False, "path": lifecycle.end("control")}


def _toggle() -> None:
    if lifecycle.running() is not None:
        lifecycle.end("signal")
    elif _options is not None:
        lifecycle.begin(_options)


def _status(_: dict[str, Any]) -> dict[str, Any]:
    running = lifecycle.running()
    if running is None:
        return {"pid": os.getpid(), "recording": False}
    stats, header = running.recorder.stats(), running.header
    seconds = max(1e-9, (time.monotonic_ns() - header.start_monotonic_ns) / 1e9)
    ours_ns = stats.sampler_cpu_ns + stats.recorder_cpu_ns
    return {
        "pid": os.getpid(),
        "recording": True,
        "service": header.service,
        "path": running.recorder.path,
        "directory": running.options.directory,
        "trouble": running.recorder.trouble,
        "engine": header.engine.get("name", ""),
        "engine_reason": header.engine.get("reason", ""),
        "mode": running.options.mode,
        "seconds": seconds,
        "rate_hz": running.options.rate_hz,
        "achieved_hz": stats.passes / max(1e-9, seconds - stats.asleep_ns / 1e9),
        "cost_cores": ours_ns / 1e9 / seconds,
        "cost_of_process": ours_ns / stats.process_cpu_ns if stats.process_cpu_ns else 0.0,
        "open_spans": running.log.open,
        "open_transactions": running.log.transactions,
        "stats": stats.to_json(),
    }


def _dump(_: dict[str, Any]) -> dict[str, Any]:
    """The stacks as Python tells them, and where the samples of a moment ago are."""
    running = lifecycle.running()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    tasks = asynctasks.tell()
    ours = str(Path(__file__).parent)
    threads = []
    for ident, frame in sys._current_frames().items():
        frames = _frames(frame)
        if frames and not frames[-1]["file"].startswith(ours):
            told = {"ident": ident, "name": names.get(ident, f"thread {ident}"), "frames": frames}
            threads.append(told)
    return {
        "pid": os.getpid(),
        "path": None if running is None else running.recorder.path,
        "monotonic_ns": time.monotonic_ns(),
        "threads": threads,
        "tasks": tasks,
    }


def _frames(frame: FrameType | None) -> list[dict[str, Any]]:
    """A stack, root first."""
    found = []
    while frame is not None:
        found.append(asynctasks.place(frame))
        frame = frame.f_back
    return found[::-1]


COMMANDS: dict[Any, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "start": _start,
    "stop": _stop,
    "status": _status,
    "dump": _dump,
}

DOOR = Door(answer, _is_recording)
atexit.register(DOOR.close, for_good=True)
