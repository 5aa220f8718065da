"""Runs of a program under a profiler, each in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from truth import outside
from truth.inside import Absent, Failed
from truth.seen import Seen

_HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Tool:
    """A profiler and what it can say: which clocks, at which rates (none: at any)."""

    name: str
    clocks: tuple[str, ...]
    rates: tuple[float, ...] = ()


TOOLS = [
    Tool("flamespan native", ("wall", "cpu")),
    Tool("flamespan python", ("wall", "cpu")),
    Tool("sentry-sdk", ("wall",), (100,)),  # its rate is fixed at 101 Hz
    Tool("pyinstrument", ("wall",)),
    Tool("ddtrace", ("wall", "cpu")),
    Tool("py-spy --idle", ("wall",)),
    Tool("py-spy", ("cpu",)),  # no CPU clock: it counts the samples that look active
    Tool("austin", ("wall",)),
    Tool("austin -s", ("cpu",)),  # the same
]


@dataclass(frozen=True)
class Outcome:
    """One run: nanoseconds by clock and phase, and what the tool saw (nothing without one).

    ``granted`` is the part of its working time that the program had a processor, ``others`` how
    many processors worked for something else than program and tool.
    """

    total_ns: int
    granted: float
    truth: dict[str, dict[str, float]]
    seen: dict[str, Any]
    others: float


@dataclass(frozen=True)
class Work:
    """The same work for every tool: a program, its seed, about so many seconds of it."""

    program: str
    seed: int
    seconds: float
    units: dict[str, float]


def calibrate(program: str) -> dict[str, float]:
    """What each phase of the program gets done in a second here."""
    with tempfile.TemporaryDirectory() as folder:
        units: dict[str, float] = _run({"program": program, "calibrate": True}, folder, [], 120)
    return units


def run(work: Work, tool: str = "", rate: float = 0) -> Outcome:
    """One run, bare without ``tool``. Raises Absent where the tool does not work here."""
    spec = {**asdict(work), "tool": tool, "rate": rate}
    watcher = outside.TOOLS.get(tool)
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder, "output"))
        before = [] if watcher is None else watcher.command(rate, output)
        busy, began = _busy_elsewhere(), time.monotonic()
        result = _run(spec, folder, before, 60 + 8 * work.seconds)
        others = (_busy_elsewhere() - busy) / (time.monotonic() - began)
        if "absent" in result:
            raise Absent(result["absent"])
        if watcher is not None:
            seen = Seen(work.units)
            if not Path(output).exists():
                raise Failed("wrote no file")
            watcher.read(output, seen)
            result["seen"] = seen.to_json()
    return Outcome(**result, others=others)


def _busy_elsewhere() -> float:
    """Seconds that processors worked, or were withheld from us, but not for our children."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _disk, interrupts, soft, steal = map(int, fields[:8])
    busy = user + nice + system + interrupts + soft + steal
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    return busy / os.sysconf("SC_CLK_TCK") - ours.ru_utime - ours.ru_stime


def _run(spec: dict[str, Any], folder: str, before: list[str], timeout: float) -> Any:
    """The result of ``truth.target``, started by the command ``before``."""
    ours, result = Path(folder, "spec.json"), Path(folder, "result.json")
    ours.write_text(json.dumps({**spec, "folder": folder, "result": str(result)}))
    command = [*before, sys.executable, "-m", "truth.target", str(ours)]
    try:
        done = subprocess.run(
            command, cwd=_HERE, capture_output=True, text=True, check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"not done after {timeout:.0f} s") from None
    if not result.exists():
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["nothing said"]
        raise Failed(f"failed with exit code {done.returncode}: {said[-1][:150]}")
    return json.loads(result.read_text())
