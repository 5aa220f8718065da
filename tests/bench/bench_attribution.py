"""Whose samples are whose: transactions that run concurrently, in every way Python has.

    python tests/bench/bench_attribution.py [--seconds 5] [--rate 1000]
        [--programs "asyncio 20,threads 8"] [--only flamespan,pyinstrument]
        [--python PATH ...]

In each program all code of a transaction runs in functions named for it, so a sample's stack
tells which transaction (and which span) it must carry. A table shows for each program and
profiler

- attributed: samples, inside a transaction by their stack, that were given to one
- foreign %: those of them given to another than their own (wanted: at most 0.1)
- wrong span %: those given to the right transaction, but to another of its spans (only flamespan
  ties samples to spans)
- nobodys %: of all samples inside a transaction those given to none (wanted: at most 0.5); "-":
  the profiler does not keep such samples
- sum: the wall time in which a transaction had a sample, of any state, against its duration: where
  several threads work for it at once, each moment counts once (as in wall_any_ns of the tables).
  The median and the worst difference in sampling intervals. "/gap": the worst one where an
  interval is as long as it was, namely the gap between the passes in which the transaction ended,
  if that is longer: the passes there came late (and without time in which the process did not
  run). At most 1 is wanted. Then what is left when time that is known to be in no sample is
  counted too (tail_ns and unobserved_ns of profile.waiting()): the worst one in intervals, and
  over the whole run
- twice %: what its samples have beyond that, in thread-seconds, as a share of all durations: a pool
  of threads beside the task that waits for it (wanted: 0 where there is none)

Profilers that start one profile for each transaction (sentry-sdk, pyinstrument) have samples of
waiting tasks or of other threads in it: only those inside a transaction by their stack count.

The other profilers and event loops are no dependencies; what is not installed is named.
``--python`` runs it on other interpreters, each in a virtual environment made for it. Takes about
seconds * 60 for each interpreter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from attribution import programs, runner, venvs
from attribution.tools import TOOLS

MOST_FOREIGN, MOST_NOBODYS = 0.001, 0.005
TARGET = "flamespan native"

HEAD = (
    f"  {'program':<15} {'profiler':<17}{'attributed':>11}{'foreign %':>11}{'wrong span %':>14}"
    f"{'nobodys %':>12}  {'sum: median':>11}{'worst':>8}{'/gap':>7}{'left':>7}{'all %':>8}"
    f"{'twice %':>9}"
)


def line(program: str, tool: str, found: dict[str, Any]) -> str:
    """A table's line."""
    head = f"  {program:<15} {tool:<17}"
    if "absent" in found:
        return f"{head}  {found['absent']}"
    got, rule = found["figures"], found["sum_rule"]
    if not got["attributed"] and not got["nobodys"]:
        return f"{head}  saw nothing inside a transaction"
    ours = tool.startswith("flamespan")
    wrong = f"{100 * got['wrong_span']:.3f}" if ours else "-"
    nobodys = "-" if got["nobodys"] is None else f"{100 * got['nobodys']:.3f}"
    text = f"{head}{got['attributed']:>11}{100 * got['foreign']:>11.3f}{wrong:>14}{nobodys:>12}"
    if rule is not None:
        text += f"  {rule['median']:>11.2f}{rule['worst']:>8.1f}{rule['late']:>7.2f}"
        text += f"{rule['unexplained']:>7.2f}"
        text += f"{100 * rule['over_all']:>+8.2f}{100 * rule['twice']:>9.2f}"
    return text


def misses(program: str, found: dict[str, Any]) -> list[str]:
    """Where the native engine is not as right as it has to be."""
    if "absent" in found:
        return []
    got = found["figures"]
    bad = []
    if got["foreign"] > MOST_FOREIGN:
        bad.append(f"{program}: {got['foreign']:.2%} foreign")
    if got["nobodys"] > MOST_NOBODYS:
        bad.append(f"{program}: {got['nobodys']:.2%} nobody's")
    if not got["attributed"]:
        bad.append(f"{program}: nothing attributed")
    return bad


def measure(python: str, chosen: list[str], tools: list[str], rate: float, seconds: float) -> None:
    """Every program under every tool, and the verdict."""
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    print(f"{version.strip()}, {rate:g} Hz, {seconds:g} s each\n{HEAD}")
    bad, judged = [], 0
    for program in chosen:
        for tool in tools:
            found = runner.run(python, program, tool, rate, seconds)
            print(line(program, tool, found), flush=True)
            if tool == TARGET:
                bad += misses(program, found)
                judged += "absent" not in found
    wanted = f"at most {MOST_FOREIGN:.1%} foreign and {MOST_NOBODYS:.1%} nobody's"
    verdict = f"missed: {'; '.join(bad)}" if bad else f"hold in all {judged} programs"
    print(f"{TARGET}: {wanted} {verdict}\n" if judged else f"{TARGET}: not measured\n")


def main() -> int:
    """Measure with this interpreter or with those that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--programs", default=",".join(programs.NAMES))
    parser.add_argument("--only", default="", help="tools, comma-separated; default: all")
    parser.add_argument("--python", nargs="+", default=[], help="other interpreters")
    given = parser.parse_args()
    chosen = [name.strip() for name in given.programs.split(",")]
    for name in chosen:
        if name not in programs.NAMES:
            parser.error(f"no program {name!r}: there are {', '.join(programs.NAMES)}")
    beginnings = given.only.split(",")
    tools = [tool for tool in TOOLS if any(tool.startswith(name) for name in beginnings)]
    if not given.python:
        measure(sys.executable, chosen, tools, given.rate, given.seconds)
    for python in given.python:
        with tempfile.TemporaryDirectory() as folder:
            try:
                inside = venvs.make(python, Path(folder))
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"{python}: {error}", file=sys.stderr)
                continue
            measure(inside, chosen, tools, given.rate, given.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
