"""How true profiles are: our engines and other profilers on programs that know the truth.

    python tests/bench/bench_truth.py [--runs 5] [--seconds 8] [--rates 100,1000]
        [--programs mixed,bursty] [--only flamespan,ddtrace]

Every profiler watches the same work as every other, each time in a fresh process; before and
after each there is a run without any, which tells the slow-down. For each program and clock a
table shows

- TVD: total variation distance to the truth, the part of the time booked to a wrong function
  (mean over the runs)
- ideal: what to expect of as many samples taken at random, and the ratio of the two. A sampler
  that comes evenly can be better than random (below 1) where functions run for long
- worst: the function farthest from its true share in all runs together, in standard errors
  of so many random samples
- slow-down: wall time with the profiler to wall time without (median over the runs)

Run it on a machine with two processors or more that does nothing else: where other programs need
them too, the figures say more of the machine than of the profilers. A disturbed run is repeated, up
to three times in all, and a line below the tables says how many were disturbed all the same.

The other profilers are no dependencies; what is not installed is named. Takes about
runs * seconds * 70 in all; --only takes the beginnings of tools' names.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass, field

from truth.figures import Figures, compare
from truth.inside import Absent, Failed
from truth.runner import TOOLS, Outcome, Tool, Work, calibrate, run

MOST_RATIO = 1.2
MOST_OFF = 4.0
LEAST_GRANTED, MOST_OTHERS, TRIES = 0.95, 0.2, 3
"""The part of its working time that a bare program must have had a processor, and how many
processors other programs may have used, or the run between is repeated, so often in all."""
TARGET = "flamespan native"
CLOCKS = ("wall", "cpu")


@dataclass
class Setting:
    """A tool at a rate on one program: its runs, or why there are none."""

    tool: Tool
    rate: float
    outcomes: list[Outcome] = field(default_factory=list)
    slow_downs: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    disturbed: int = 0
    absent: str = ""

    def why_not(self) -> str:
        return self.absent or "".join(self.failures[-1:]) or "saw nothing of the program"

    def figures(self, clock: str) -> Figures | None:
        if not self.outcomes or clock not in self.tool.clocks:
            return None
        return compare(self.outcomes, clock, only_cpu=self.tool.clocks == ("cpu",))


def settings(only: list[str], rates: list[float]) -> list[Setting]:
    """Every tool at every rate it has."""
    return [
        Setting(tool, rate)
        for rate in rates
        for tool in TOOLS
        if any(tool.name.startswith(name) for name in only)
        if not tool.rates or rate in tool.rates
    ]


def measure(program: str, chosen: list[Setting], runs: int, seconds: float) -> list[Outcome]:
    """Fill the settings: in each round all of them do the same work, bare runs in between.

    Returns the bare runs.
    """
    units = calibrate(program)
    bare = []
    for number in range(runs):
        work = Work(program, number, seconds, units)
        bare.append(run(work))
        for setting in _rotated(chosen, number):
            if not setting.absent:
                label = f"{setting.tool.name} at {setting.rate:g} Hz"
                print(f"{program}, round {number + 1} of {runs}: {label}", file=sys.stderr)
                bare += _between_bare(work, setting, bare[-1])
    return bare


def _between_bare(work: Work, setting: Setting, before: Outcome) -> list[Outcome]:
    """One run of the setting, again if the machine was busy; the bare runs that followed."""
    bare = [before]
    for tries_left in reversed(range(TRIES)):
        try:
            outcome = run(work, setting.tool.name, setting.rate)
        except Failed as reason:
            setting.failures.append(str(reason))
            continue
        except Absent as reason:
            setting.absent = str(reason)
            break
        bare.append(run(work))
        quiet = min(around.granted for around in bare[-2:]) >= LEAST_GRANTED
        quiet = quiet and max(ran.others for ran in (*bare[-2:], outcome)) <= MOST_OTHERS
        if quiet or not tries_left:
            without = statistics.fmean(around.total_ns for around in bare[-2:])
            setting.slow_downs.append(outcome.total_ns / without)
            setting.outcomes.append(outcome)
            setting.disturbed += not quiet
            break
    return bare[1:]


def _rotated(chosen: list[Setting], number: int) -> list[Setting]:
    """Another order in every round, so that no tool always runs after the same one."""
    at = number * 5 % max(1, len(chosen))
    return chosen[at:] + chosen[:at]


HEAD = (
    f"  {'tool':<17}{'rate':>6}{'samples':>9}{'TVD %':>8}{'ideal %':>9}{'ratio':>7}"
    f"  {'worst function (standard errors)':<33}{'slow-down':>9}"
)


def table(program: str, clock: str, chosen: list[Setting]) -> list[str]:
    """The lines of one table."""
    lines, absent = [f"{program}, {clock} time", HEAD], {}
    for setting in chosen:
        if clock not in setting.tool.clocks:
            continue
        found = setting.figures(clock)
        if found is None:
            absent[setting.tool.name] = setting.why_not()
            continue
        worst = f"{found.worst} ({found.off:+.1f})"
        lines.append(
            f"  {setting.tool.name:<17}{setting.rate:>6g}{found.samples:>9.0f}"
            f"{found.distance:>8.2f}{found.ideal:>9.2f}{found.ratio:>7.2f}"
            f"  {worst:<33}{statistics.median(setting.slow_downs):>9.3f}"
        )
    return lines + [f"  {name:<17}  {why}" for name, why in absent.items()]


def quietness(chosen: list[Setting], bare: list[Outcome]) -> str:
    """What the machine left to the program, how many runs suffered from it, and which failed."""
    granted = [outcome.granted for outcome in bare]
    others = [outcome.others for outcome in bare]
    disturbed = sum(setting.disturbed for setting in chosen)
    failures = [
        f"\n{setting.tool.name} at {setting.rate:g} Hz {reason} (tried again)"
        for setting in chosen
        for reason in setting.failures
    ]
    return (
        f"bare, the program had a processor for {statistics.median(granted):.1%} of its working "
        f"time (at worst {min(granted):.1%}), other programs used {statistics.median(others):.2f} "
        f"processors (at most {max(others):.2f});\n{disturbed} of "
        f"{sum(len(setting.outcomes) for setting in chosen)} runs were disturbed"
        f"{''.join(failures)}"
    )


def verdict(measured: dict[str, list[Setting]]) -> str:
    """Whether the native engine is as true as it has to be, and where it is not."""
    ours = [
        (program, setting)
        for program, chosen in measured.items()
        for setting in chosen
        if setting.tool.name == TARGET
    ]
    judged = [
        _misses(f"{program} {clock} {setting.rate:g} Hz", found)
        for program, setting in ours
        for clock in CLOCKS
        if (found := setting.figures(clock)) is not None
    ]
    if not judged:
        reasons = {setting.why_not() for _, setting in ours}
        return f"{TARGET}: not measured ({'; '.join(sorted(reasons)) or 'not asked for'})"
    misses = [miss for found in judged for miss in found]
    line = f"{TARGET}: ratio at most {MOST_RATIO} and no function off by more than {MOST_OFF:g} "
    line += "missed: " + "; ".join(misses) if misses else f"hold in all {len(judged)} settings"
    disturbed = sum(setting.disturbed for _, setting in ours)
    return line + (f" ({disturbed} of its runs were disturbed)" if disturbed else "")


def _misses(where: str, found: Figures) -> list[str]:
    misses = []
    if found.ratio > MOST_RATIO:
        misses.append(f"{where}: ratio {found.ratio:.2f}")
    if abs(found.off) > MOST_OFF:
        misses.append(f"{where}: {found.worst} off by {found.off:+.1f}")
    return misses


def main() -> int:
    """Measure, print the tables and the verdict."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rates", default="100,1000")
    parser.add_argument("--programs", default="mixed,bursty")
    parser.add_argument("--only", default="", help="tools, comma-separated; default: all")
    given = parser.parse_args()
    rates = [float(rate) for rate in given.rates.split(",")]
    measured: dict[str, list[Setting]] = {}
    for program in given.programs.split(","):
        chosen = measured[program] = settings(given.only.split(","), rates)
        bare = measure(program, chosen, given.runs, given.seconds)
        for clock in CLOCKS:
            print("\n".join(table(program, clock, chosen)), end="\n\n")
        print(quietness(chosen, bare), end="\n\n", flush=True)
    print(f"{given.runs} runs of about {given.seconds:g} s each, Python {sys.version.split()[0]}")
    print(verdict(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
