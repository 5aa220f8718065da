"""What a recording says of itself: program, versions, machine, and the folders code comes from."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import site
import socket
import sys
import sysconfig
import time
import uuid
from dataclasses import replace
from typing import Any

from flamespan.profiler.model import Header

_DMI = "/sys/class/dmi/id/"


def header(
    *,
    interval_ns: int,
    tick_ns: int,
    max_depth: int,
    engine: dict[str, Any],
    service: str | None = None,
    release: str | None = None,
    environment: str | None = None,
    choice: dict[str, Any],
) -> Header:
    """A header for a recording that begins now; ``choice`` tells which transactions are in it.

    Neither arguments nor environment variables are kept: they may hold secrets.
    """
    main = main_file()
    return Header(
        session_id=uuid.uuid4().hex,
        pid=os.getpid(),
        parent_pid=os.getppid(),
        host=socket.gethostname(),
        service=service or default_service(main),
        environment=environment or "",
        release=release or "",
        program=program(main),
        start_wall_ns=time.time_ns(),
        start_monotonic_ns=time.monotonic_ns(),
        interval_ns=interval_ns,
        tick_ns=tick_ns,
        max_depth=max_depth,
        flamespan=version(),
        engine=engine,
        python=_python(),
        os={"name": platform.system(), "release": platform.release(), "version": _os_version()},
        device=_device(),
        paths=paths(main),
        **choice,
    )


def refreshed(header: Header) -> Header:
    """``header`` with what a program changed since: ``sys.path``, and what runs as ``__main__``.

    The same object if nothing did.
    """
    main, entries = main_file(), sys_path()
    if entries == header.paths.get("sys_path") and main in ("", header.paths.get("main")):
        return header
    changed = {**header.paths, "sys_path": entries}
    if main in ("", header.paths.get("main")):
        return replace(header, paths=changed)
    return replace(header, paths={**changed, "main": main}, program=program(main))


def child_of(parent: Header) -> Header:
    """A header for this process, forked from the one that ``parent`` tells of.

    Reads and imports nothing: locks that other threads held at the fork stay held here.
    """
    return replace(
        parent,
        session_id=uuid.uuid4().hex,
        part=0,
        pid=os.getpid(),
        parent_pid=os.getppid(),
        start_wall_ns=time.time_ns(),
        start_monotonic_ns=time.monotonic_ns(),
    )


def version() -> str:
    """Flamespan's own version, "" where it runs uninstalled, or no file can be opened."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError):
        return importlib.metadata.version("flamespan")
    return ""


def main_file() -> str:
    """The file of the ``__main__`` module, "" if it has none (-c, standard input, interactive)."""
    found = getattr(sys.modules.get("__main__"), "__file__", None)
    if not isinstance(found, str) or found in ("", "<stdin>"):
        return ""
    return os.path.abspath(found)


def program(main: str) -> str:
    """The script or module that runs, without its arguments."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and isinstance(spec.name, str) and spec.name != "__main__":
        return f"-m {spec.name.removesuffix('.__main__')}"
    return (sys.argv[0] if getattr(sys, "argv", None) else "") or main


def default_service(main: str) -> str:
    """What a recording is called when nobody named it: the main script's name."""
    stem = os.path.splitext(os.path.basename(main))[0]
    if stem in ("__main__", "__init__"):
        stem = os.path.basename(os.path.dirname(main))
    return stem or "python"


def paths(main: str) -> dict[str, Any]:
    """The folders that tell application from library from standard library code."""
    known = sysconfig.get_paths()
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = ""
    sites = list(site.getsitepackages()) if hasattr(site, "getsitepackages") else []
    with contextlib.suppress(Exception):  # no home directory, or a site module of its own kind
        sites.append(site.getusersitepackages())
    return {
        **{
            key: known.get(key) or ""
            for key in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
        },
        "site_packages": sites,
        "sys_path": sys_path(),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "cwd": cwd,
        "main": main,
        "flamespan": os.path.dirname(os.path.abspath(__file__)),
    }


def sys_path() -> list[str]:
    """``sys.path`` as text (programs put all kinds of things in it)."""
    return [entry for entry in sys.path if isinstance(entry, str)]


def _python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "implementation": sys.implementation.name,
        "executable": sys.executable or "",
    }


def _os_version() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except (OSError, AttributeError):
        return platform.version()


def _device() -> dict[str, Any]:
    memory = 0
    with contextlib.suppress(OSError, ValueError, AttributeError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "manufacturer": _first_line(_DMI + "sys_vendor"),
        "model": _first_line(_DMI + "product_name"),
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": memory,
    }


def _processor() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Hardware", "cpu"):
            return value.strip()
    # Not platform.processor(): that starts a process on some systems.
    return platform.machine()


def _first_line(path: str) -> str:
    return _read(path).partition("\n")[0].strip()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""
