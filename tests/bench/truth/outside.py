"""Profilers that are programs of their own: how they are started and what they write."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from truth.inside import Absent
from truth.seen import Seen


@dataclass(frozen=True)
class Outside:
    """``options`` makes the command line from rate and output file, ``read`` reads that file."""

    program: str
    package: str
    options: Callable[[float, str], list[str]]
    read: Callable[[str, Seen], None]

    def command(self, rate: float, output: str) -> list[str]:
        """What to put before the command of the program; raises Absent where it cannot start."""
        beside = Path(sys.executable).parent / self.program
        found = str(beside) if beside.exists() else shutil.which(self.program)
        if found is None:
            raise Absent(f"not installed: pip install {self.package}")
        tried = subprocess.run(
            [found, "--version"], capture_output=True, text=True, check=False, timeout=30
        )
        if tried.returncode:
            why = tried.stderr.strip().rpartition(": ")[2].partition(" (")[0]
            raise Absent(f"does not start here: {why} (pip install {self.package})")
        return [found, *self.options(rate, output)]


def _py_spy(*more: str) -> Callable[[float, str], list[str]]:
    def options(rate: float, output: str) -> list[str]:
        fixed = ["record", "--format=raw", f"--rate={rate:.0f}", f"--output={output}"]
        return [*fixed, *more, "--"]

    return options


def _austin(*more: str) -> Callable[[float, str], list[str]]:
    def options(rate: float, output: str) -> list[str]:
        # It gives up on a program that has not become Python's within 100 ms, unless told to wait.
        return [f"--interval={1e6 / rate:.0f}us", "--timeout=3s", f"--output={output}", *more]

    return options


def _read_py_spy(output: str, seen: Seen) -> None:
    """Lines of "name (file:line);name (file:line) count", the root first."""
    for line in Path(output).read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        names = [frame.partition(" (")[0] for frame in reversed(stack.split(";"))]
        seen.add(names, wall=int(count), cpu=int(count), samples=int(count))


def _read_austin(output: str, seen: Seen) -> None:
    """Lines of "P1;T1;file:name:line;file:name:line microseconds", the root first."""
    data = Path(output).read_bytes()
    if data.startswith(b"MOJ"):
        raise Absent(f"writes binary files: pip install {_AUSTIN}")
    for line in data.decode("utf-8", "replace").splitlines():
        stack, _, took = line.rpartition(" ")
        if not line.startswith("P") or not took.isdecimal():
            continue  # "# key: value" and blank lines
        names = [frame.split(":")[-2] for frame in reversed(stack.split(";")) if ":" in frame]
        seen.add(names, wall=int(took), cpu=int(took), samples=1)


_AUSTIN = "'austin-dist<4'"  # later ones write binary files and want a newer C library

TOOLS = {
    "py-spy --idle": Outside("py-spy", "py-spy", _py_spy("--idle"), _read_py_spy),
    "py-spy": Outside("py-spy", "py-spy", _py_spy(), _read_py_spy),
    "austin": Outside("austin", _AUSTIN, _austin(), _read_austin),
    "austin -s": Outside("austin", _AUSTIN, _austin("--sleepless"), _read_austin),
}
