"""Recording from a process's start, without a word in the program: what the start hook calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from flamespan.profiler import lifecycle, session, settings
from flamespan.profiler.errors import UsageError

PID = "FLAMESPAN_PID"
"""The process that was told to record; those that it starts are its children."""

SUBPROCESSES = "FLAMESPAN_SUBPROCESSES"
"""Set to 1, programs that a recorded one starts (``subprocess``, ``os.exec``) are recorded, too."""

AGAIN = "FLAMESPAN_AGAIN"
"""What ``_BY_ITSELF`` were as that process began to record."""

_BY_ITSELF = ("RUN_MAIN", "WERKZEUG_RUN_MAIN", "GUNICORN_PID")
"""Set by what starts itself anew: the reloaders of Django and Flask, gunicorn at SIGUSR2."""

_MULTIPROCESSING = (
    "multiprocessing.spawn",
    "multiprocessing.forkserver",
    "billiard.spawn",  # Celery's
    "loky.backend.popen_loky",  # joblib's
)
_NEVER = (
    "multiprocessing.resource_tracker",
    "multiprocessing.semaphore_tracker",
    "loky.backend.resource_tracker",
)


def begin() -> None:
    """Record this process, if it is one to record. UsageError where the options cannot be."""
    pid, parent = os.getpid(), os.getppid()
    if lifecycle.running() is None and is_wanted(os.environ, sys.orig_argv, pid, parent):
        if PID not in os.environ or _is_itself(os.environ, parent):
            os.environ.update({PID: str(pid), AGAIN: _by_itself(os.environ)})
        session.start(**settings.given(os.environ))


def is_wanted(environ: Mapping[str, str], words: Sequence[str], pid: int, parent: int = 0) -> bool:
    """Whether the process with this command line is to be recorded.

    The first one is, also as it starts itself anew; so are processes of ``multiprocessing`` that
    it starts, and all others that run Python if FLAMESPAN_SUBPROCESSES says so. flamespan's own
    commands never are. Raises UsageError where that says neither yes nor no.
    """
    if _is_ours(words) or any(name in word for word in words for name in _NEVER):
        return False
    first = environ.get(PID, "")
    if first in ("", str(pid)) or _is_itself(environ, parent):
        return True
    if any(name in word for word in words for name in _MULTIPROCESSING):
        return True
    wanted = environ.get(SUBPROCESSES, "")
    try:
        return settings.flag(wanted)
    except ValueError as error:
        raise UsageError(f"{SUBPROCESSES} cannot be {wanted!r}: {error}") from None


def _is_itself(environ: Mapping[str, str], parent: int) -> bool:
    """Whether the recorded process started this one in its own place."""
    return environ.get(PID) == str(parent) and _by_itself(environ) != environ.get(AGAIN, "")


def _by_itself(environ: Mapping[str, str]) -> str:
    return " ".join(f"{name}={environ[name]}" for name in _BY_ITSELF if name in environ)


def _is_ours(words: Sequence[str]) -> bool:
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    after_m = words[words.index("-m") + 1 : words.index("-m") + 2] if "-m" in words else []
    return os.path.basename(script) == "flamespan" or after_m == ["flamespan.profiler"]


def hook_folder() -> str:
    """The folder that PYTHONPATH must begin with, for processes to begin recording themselves."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "hook")


def tell_children(environ: dict[str, str] | os._Environ[str], arguments: dict[str, Any]) -> None:
    """Have this process's children record, with the same options."""
    environ.update(settings.told(arguments))
    environ.update({PID: str(os.getpid()), AGAIN: _by_itself(environ)})
    before = environ.get("PYTHONPATH", "")
    if before.split(os.pathsep)[0] != hook_folder():
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, (hook_folder(), before)))
