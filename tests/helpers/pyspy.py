"""py-spy beside flamespan on the running sample shop, and what the two say of each function."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flamespan.aggregator import Profile

SHOP = Path(__file__).resolve().parents[2] / "samples" / "programs" / "shop"
OURS = "/flamespan/profiler/"
Place = tuple[str, int]
"""A function: its file and first line."""


@dataclass
class Spied:
    """What py-spy wrote, and the unix time of its first and last sample, about."""

    start_ns: int
    end_ns: int
    samples: int = 0
    own: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    total: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    names: dict[Place, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A function's share: ours with its interval, and theirs."""

    kind: str
    function: str
    ours: float
    low: float
    high: float
    theirs: float

    @property
    def agrees(self) -> bool:
        return self.low <= self.theirs <= self.high


def program() -> str | None:
    """Where py-spy is, if it is anywhere."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


@contextmanager
def shop(folder: Path, seconds: float) -> Iterator[int]:
    """The shop under load for so long, recording into ``folder``; its process id."""
    command = [sys.executable, str(SHOP), f"--profile={folder}", f"--seconds={seconds}"]
    running = subprocess.Popen(
        [*command, "--requests=1000000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        assert running.stderr is not None
        assert b"the shop is at" in running.stderr.readline()
        yield running.pid
        running.communicate(timeout=seconds + 60)
    finally:
        running.kill()
        running.communicate()


def record(pid: int, seconds: int, out: Path, *options: str) -> Spied:
    """Let py-spy look at a process for so long. Raises CalledProcessError where it may not."""
    command = [program() or "py-spy", "record", f"--pid={pid}", f"--duration={seconds}"]
    command += ["--function", "--full-filenames", "--format=raw", f"--output={out}", *options]
    began = time.time_ns()
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    found = Spied(began, time.time_ns())
    for line in out.read_text("utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        # Threads of the profiler have no Python frame, or begin in its recorder.
        if stack and OURS not in stack.partition(";")[0]:
            _add(found, stack.split(";"), int(count))
    return found


def _add(found: Spied, stack: list[str], count: int) -> None:
    places = []
    for frame in stack:
        name, _, place = frame.rpartition(" (")
        file, _, line = place.removesuffix(")").rpartition(":")
        places.append((file, int(line or 0)))
        found.names[places[-1]] = name
    found.samples += count
    found.own[places[-1]] += count
    for where in set(places):
        found.total[where] += count


def answers(ours: Profile, spied: Spied, view: str, least: float) -> list[Answer]:
    """Each self and total share that either puts at ``least`` or more; largest first.

    ``view`` is a clock, or a state, or "all" of them.
    """
    during = ours.between(spied.start_ns, spied.end_ns)
    if view == "gil":
        during = during.clock("gil")
    else:
        during = during.all_states() if view == "all" else during.states(view)
    table = during.functions(quick=False)
    places = list(zip(table["file"], table["line"].tolist(), strict=True))
    found = []
    for kind, counts in (("self", spied.own), ("total", spied.total)):
        low, high = (table[f"{kind}_share_{end}"].tolist() for end in ("low", "high"))
        rows = zip(table["function"], table[f"{kind}_share"].tolist(), low, high, strict=True)
        known = {
            place: Answer(kind, *row, counts.get(place, 0) / spied.samples)
            for place, row in zip(places, rows, strict=True)
        }
        for place, count in counts.items():
            share = count / spied.samples
            known.setdefault(place, Answer(kind, spied.names[place], 0.0, 0.0, 0.0, share))
        wanted = [a for a in known.values() if max(a.ours, a.theirs) > least]
        found += sorted(wanted, key=lambda a: (-a.ours, a.function))
    return found
