"""Whether py-spy, recording the same shop at the same time, says the same of every function.

    python tests/bench/bench_pyspy.py [--seconds 20] [--least 0.02]

The sample shop runs under load and records itself while py-spy looks at it from outside, in two
windows one after the other. Each asks what both profilers can tell without guessing: all threads
whatever they do (``--idle``; here all states by the wall clock), and the thread that holds the
GIL (``--gil``; here the clock of that name). In either, every function whose self or total share
either one puts above 2 % must lie, as py-spy has it, in our 95 % interval. A third window is
printed only: py-spy's default, "not idle". It asks the kernel which threads run *before* it stops
the process and reads the stacks (``_get_stack_traces`` in its ``python_spy.rs`` says so), so a
thread that blocked meanwhile is counted where it waits.

Left out of py-spy's samples: threads of the profiler (those without a Python frame, and the
recorder's), which flamespan does not record. Needs py-spy and the permission to trace.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flamespan.aggregator import load
from flamespan.aggregator.statistics import CONFIDENCE
from helpers.pyspy import Answer, answers, record, shop


@dataclass(frozen=True)
class Window:
    """What py-spy was asked and what that is here; only ``judged`` ones decide."""

    said: str
    options: tuple[str, ...]
    view: str
    judged: bool = True


WINDOWS = (
    Window("all threads, whatever they do", ("--idle",), "all"),
    Window("the thread that holds the GIL", ("--gil",), "gil"),
    Window("threads that are not idle (py-spy's default)", (), "running", judged=False),
)


def show(window: Window, found: list[Answer], counted: int) -> int:
    """Print the functions of a window; how many lie outside."""
    outside = [answer for answer in found if not answer.agrees]
    command = " ".join(("py-spy record", *window.options))
    print(f"\n{window.said}: {command}, {counted} samples of py-spy")
    print(f"{'':6} {'ours':>7} {CONFIDENCE:>6.0%} interval   {'py-spy':>7}  function")
    for a in found:
        mark = "" if a.agrees else "   OUTSIDE"
        print(f"{a.kind:6} {a.ours:7.1%} {a.low:7.1%} {a.high:7.1%}   {a.theirs:7.1%}  "
              f"{a.function}{mark}")  # fmt: skip
    print(f"{len(found) - len(outside)} of {len(found)} shares agree", flush=True)
    return len(outside)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="of each window")
    parser.add_argument("--least", type=float, default=0.02, help="shares below do not count")
    args = parser.parse_args()
    outside = judged = 0
    with tempfile.TemporaryDirectory() as folder:
        spied = []
        with shop(Path(folder, "profiles"), len(WINDOWS) * (args.seconds + 5)) as pid:
            for number, window in enumerate(WINDOWS):
                time.sleep(1)
                out = Path(folder, f"{number}.txt")
                spied.append(record(pid, args.seconds, out, *window.options))
        ours = load(Path(folder, "profiles"), keep_samples=True)
        for window, seen in zip(WINDOWS, spied, strict=True):
            found = answers(ours, seen, window.view, args.least)
            missed = show(window, found, seen.samples)
            if window.judged:
                outside, judged = outside + missed, judged + len(found)
    verdict = "agree" if not outside else "DISAGREE"
    print(f"\nverdict: the two {verdict}: {judged - outside} of {judged} shares above "
          f"{args.least:.0%} lie in our {CONFIDENCE:.0%} intervals")  # fmt: skip
    return 1 if outside or not judged else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} failed: {error.stderr[-500:]}")
