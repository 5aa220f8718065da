"""What the tables say of a program with a known GIL hog, beside what it measured itself."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flamespan.aggregator import Profile, load

PROGRAM = Path(__file__).resolve().parents[1] / "targets" / "gil_hog.py"
VICTIMS = ("small_a", "small_b")


@dataclass(frozen=True)
class Figure:
    """A share of wall time as recorded, and the truth: between two bounds where clocks differ.

    A thread that is woken because the GIL is free may wait for a processor first. Its own clocks
    cannot tell whether that was before or after it had the GIL. ``busy`` is how much the recorded
    share can be too low because other programs needed the processors: while a victim had none, or
    nothing of the process ran (the recording books that as unobserved).
    """

    what: str
    recorded: float
    least: float
    most: float
    busy: float

    @property
    def off(self) -> float:
        """How far the recorded share lies outside of the truth."""
        return max(self.least - self.recorded, self.recorded - self.most, 0.0)


def run(
    folder: Path, seconds: float, call: str, rate: float = 1000
) -> tuple[Profile, dict[str, Any]]:
    """Record the program; its profile and what it measured."""
    command = [sys.executable, PROGRAM, folder, str(seconds), call, str(rate)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60 + 10 * seconds
    )
    return load(folder), json.loads(done.stdout)


def figures(profile: Profile, truth: dict[str, Any]) -> list[Figure]:
    """All shares of which the truth is known."""
    wall, held = truth["wall"], sum(truth["calls"])
    unobserved = profile.unobserved_ns / wall
    without = {name: (truth[name]["without_processor"] or 0) / wall for name in VICTIMS}
    starved = unobserved + sum(without.values()) / len(VICTIMS)
    holders, hogs = profile.gil_holders(), profile.gil_hogs().set_index("function")
    waiting = profile.waiting("thread").set_index("thread")
    hold = hogs.loc["hold"]
    caused = hold["wait_ns"] / len(VICTIMS)
    found = [
        _figure("hold had the GIL while others waited", hold["held_ns"], held, wall, starved),
        _figure("waiting that hold caused, per victim", caused, held, wall, starved),
    ]
    for name in VICTIMS:
        mine = holders[(holders["function"] == name) & (holders["holder"] == "hold")]
        busy = unobserved + without[name]
        found.append(_figure(f"{name} waited for hold", mine["wait_ns"].sum(), held, wall, busy))
        most = (truth[name]["wall"] - truth[name]["cpu"]) / truth[name]["wall"]
        recorded = waiting.loc[name, "gil_wait_ns"] / truth[name]["wall"]
        what = f"{name} waited for the GIL"
        found.append(Figure(what, recorded, most - without[name], most, busy))
    return found


def _figure(what: str, recorded_ns: float, truth_ns: int, wall_ns: int, busy: float) -> Figure:
    share = truth_ns / wall_ns
    return Figure(what, recorded_ns / wall_ns, share, share, busy)
