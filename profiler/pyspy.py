"""One look at a process from outside, through py-spy: `py-spy dump --json`.

py-spy stops the process for a moment and reads its memory; nothing of ours has to be in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from flamespan.profiler.errors import UsageError

TIMEOUT_S = 30.0


def program() -> str:
    """Where py-spy is: beside this Python, else on PATH. Raises UsageError where it is not."""
    beside = os.path.join(os.path.dirname(sys.executable), "py-spy")
    found = beside if os.access(beside, os.X_OK) else shutil.which("py-spy")
    if found is None:
        raise UsageError("flamespan attach needs py-spy: pip install py-spy")
    return found


def version(spy: str) -> str:
    """As "py-spy 0.4.1"."""
    done = subprocess.run([spy, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "py-spy"


def look(spy: str, pid: int) -> list[dict[str, Any]]:
    """The threads of the process: each with its numbers, name, state, and frames from the leaf on.

    Raises UsageError where it cannot be looked at, with what to do about it.
    """
    command = [spy, "dump", "--json", "--full-filenames", "--pid", str(pid)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"process {pid}: py-spy does not come to an end with it") from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise UsageError(f"process {pid}: {_reason(pid, done.stderr)}") from None
    return [thread for thread in found if isinstance(thread, dict)]


def descendants(pid: int) -> list[int]:
    """The processes that it started, and those that they started; without py-spy's own."""
    started: dict[int, list[int]] = {}
    for number, parent, name in _parents():
        if not name.endswith("py-spy"):
            started.setdefault(parent, []).append(number)
    found, left = [], [pid]
    while left:
        left += (children := started.get(left.pop(), []))
        found += children
    return found


def parent_of(pid: int) -> int:
    """The process that started it; 0 where that cannot be told."""
    return next((parent for number, parent, _ in _parents() if number == pid), 0)


def _parents() -> Iterator[tuple[int, int, str]]:
    """Number, parent and name of each process: from /proc (Linux), else as ``ps`` tells."""
    if os.path.isdir("/proc/self"):
        for entry in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):  # ended meanwhile
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    head, _, rest = file.read().rpartition(")")
                yield int(entry), int(rest.split()[1]), head.partition("(")[2]
        return
    command = ["ps", "-A", "-o", "pid=,ppid=,comm="]
    with contextlib.suppress(OSError):  # there is none on this system
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        for line in told.splitlines():
            number, parent, name = line.split(None, 2)
            yield int(number), int(parent), name


def is_there(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return False
    except OSError:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _reason(pid: int, said: str) -> str:
    """What py-spy said, in one line, with what helps."""
    if not is_there(pid):
        return "there is no such process (any more)"
    low = said.lower()
    if "permission denied" in low or "operation not permitted" in low:
        return (
            "the system does not let it be read: run flamespan attach as root, or give "
            "CAP_SYS_PTRACE (in containers: --cap-add SYS_PTRACE)"
        )
    if "python" in low and ("version" in low or "failed to find" in low):
        return "it is no Python that py-spy knows"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"py-spy failed: {lines[-1] if lines else 'it said nothing'}"
