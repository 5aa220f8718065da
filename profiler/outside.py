"""What can be told of another process from outside: its program, and the folders its code is from.

From /proc (Linux); elsewhere little is known. Neither arguments nor variables are kept.
"""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from typing import Any

from flamespan.profiler import environment, pyspy
from flamespan.profiler.model import Header


def header_of(pid: int, rate_hz: float, spy: str, now_ns: int) -> Header:
    """The header of a recording by py-spy (``spy`` is its version) that began at ``now_ns``."""
    words = _command(pid)
    script, main = _script(words), ""
    cwd = _link(pid, "cwd")
    if script and not script.startswith("-"):
        main = os.path.normpath(os.path.join(cwd or "/", script))
    name = os.path.splitext(os.path.basename(main or script.removeprefix("-m ")))[0]
    paths = _paths(pid, words, cwd, main)
    version = os.path.basename(paths["stdlib"]).removeprefix("python")
    return Header(
        session_id=uuid.uuid4().hex,
        pid=pid,
        parent_pid=pyspy.parent_of(pid),
        host=socket.gethostname(),
        service=name or f"process {pid}",
        program=script,
        start_wall_ns=time.time_ns() - (time.monotonic_ns() - now_ns),
        start_monotonic_ns=now_ns,
        interval_ns=round(1e9 / rate_hz),
        flamespan=environment.version(),
        engine={
            "name": "py-spy",
            "reason": f"attached from outside, {spy}",
            "span_rule": "none",
            "state_rule": "py-spy",
        },
        python={"version": version, "implementation": "cpython", "executable": _link(pid, "exe")},
        paths=paths,
    )


def _command(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


def _script(words: list[str]) -> str:
    """The script, or "-m module"; what follows it is the program's own."""
    rest = iter(words[1:])
    for word in rest:
        if word in ("-W", "-X", "--check-hash-based-pycs"):
            next(rest, None)
        elif word == "-m":
            return f"-m {next(rest, '')}"
        elif word.startswith("-c"):
            return "-c"
        elif not word.startswith("-"):
            return word
    return ""


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return ""


def _paths(pid: int, words: list[str], cwd: str, main: str) -> dict[str, Any]:
    """The folders that tell whose code is whose, as far as the interpreter's place tells them."""
    executable = _link(pid, "exe")
    base = os.path.dirname(os.path.dirname(executable))
    asked = words[0] if words and os.path.isabs(words[0]) else executable
    prefix = os.path.dirname(os.path.dirname(asked))
    if not os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
        prefix = base
    stdlib = _library(base)
    sites = [
        os.path.join(library, name)
        for library in dict.fromkeys((_library(prefix), stdlib))
        for name in ("site-packages", "dist-packages")
        if library
    ]
    return {
        **dict.fromkeys(("stdlib", "platstdlib"), stdlib),
        "site_packages": sites,
        "sys_path": [os.path.dirname(main) if main else cwd, stdlib, *sites],
        "prefix": prefix,
        "base_prefix": base,
        "cwd": cwd,
        "main": main,
    }


def _library(prefix: str) -> str:
    """``lib/python3.x`` of an installation; "" where there is none."""
    folder = os.path.join(prefix, "lib")
    try:
        names = [name for name in os.listdir(folder) if re.fullmatch(r"python3\.\d+t?", name)]
    except OSError:
        return ""
    full = [n for n in names if os.path.exists(os.path.join(folder, n, "threading.py"))]
    return os.path.join(folder, (full or sorted(names) or [""])[0]) if names else ""
