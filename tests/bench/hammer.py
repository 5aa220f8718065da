"""Hammers the profiler: all that can happen below a sampler, as fast as it can, for minutes.

    python tests/bench/hammer.py [--seconds 600] [--rate 10000] [--engine native]
                                 [--only calls,generators] [--folder F]

Needs the standard library and flamespan only. Records slice after slice while threads of each
kind work, and between slices, while they rest, checks every stack against the calls that the
hammer's functions can make. Fails (exit 1) on impossible stacks (1 in 2 000 on trees of
generators, 1 in 100 000 on all else), on torn ones (0.5 %), on a worker that was seen for less
than 80 % of its time, on a child or a worker that failed or hung, on a damaged file; a crash or a
hang of the whole shows by itself. ``--engine none`` records nothing: what fails then too is not
the profiler's doing.

Shares are of samples in which the thread had run since the one before: beside a dozen threads
that fight for the GIL, most samples are of threads that stood still, and would flatter.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import inspect
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import hammer_calls
import hammer_flow
import hammer_fork
import hammer_world
from hammer_fork import CHILDREN
from hammer_graph import Graph, Kind, Tally

from flamespan.profiler import Profiler
from flamespan.profiler.model import Stats

KINDS: dict[str, Callable[[hammer_calls.Gate], None]] = {
    **hammer_calls.KINDS,
    **hammer_flow.KINDS,
    **hammer_world.KINDS,
    **hammer_fork.KINDS,
}
BOUNDS = {"generators": 1 / 2_000}
BOUND = 1 / 100_000
TORN_BOUND = 0.005
SEEN_BOUND = 0.8
"""The share of a worker's time that samples have to stand for; each fork interrupts the sampler."""
HANG_S = 120
"""How much longer than its time a slice may take."""


@dataclass
class Outcome:
    """What the whole run did."""

    tally: Tally
    recorded_s: float = 0.0
    slices: int = 0
    stats: Stats = field(default_factory=Stats)
    trouble: list[str] = field(default_factory=list)

    def add(self, stats: Stats, seconds: float) -> None:
        self.recorded_s += seconds
        self.slices += 1
        for name, value in stats.to_json().items():
            before = 0 if name == "interval_ns" else getattr(self.stats, name)
            setattr(self.stats, name, before + value)

    def troubles(self) -> list[str]:
        found = self.trouble + [f"{what} ({n} times)" for what, n in self.tally.trouble.items()]
        children = CHILDREN
        if children.failed or children.hung or children.forked != children.ended:
            found.append(f"children: {children}")
        return found


class Listener(logging.Handler):
    """Keeps what flamespan warns of: it does so only when something is wrong with it."""

    def __init__(self, trouble: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._trouble = trouble

    def emit(self, record: logging.LogRecord) -> None:
        self._trouble.append(f"logged: {self.format(record)}")


def listen(trouble: list[str]) -> None:
    """Take note of warnings, of workers that die, of finalizers that fail."""
    logging.getLogger("flamespan").addHandler(Listener(trouble))
    threading.excepthook = lambda args: trouble.append(
        f"{args.thread and args.thread.name} died: {args.exc_type.__name__}: {args.exc_value}"
    )
    sys.unraisablehook = lambda args: trouble.append(
        f"unraisable: {args.exc_value!r} in {args.object!r}"
    )


def begin_workers(kinds: list[str], each: int, gate: hammer_calls.Gate) -> list[threading.Thread]:
    workers = [
        threading.Thread(target=KINDS[kind], args=(gate,), name=f"{kind}{number}", daemon=True)
        for kind in kinds
        for number in range(each)
    ]
    for worker in workers:
        worker.start()
    return workers


def record(options: argparse.Namespace, folder: str, seconds: float) -> float:
    """One slice; how long it was."""
    if options.engine == "none":
        time.sleep(seconds)
        return seconds
    more = {"budget": 0.0} if "budget" in inspect.signature(Profiler).parameters else {}
    recording = Profiler(folder, options.rate, engine=options.engine, **more)
    recording.start()
    began = time.monotonic()
    time.sleep(seconds)
    seconds = time.monotonic() - began
    recording.stop()
    return seconds


def hammer(options: argparse.Namespace, folder: str, kinds: list[str]) -> Outcome:
    modules = (hammer_calls, hammer_flow, hammer_world, hammer_fork)
    rules = "".join(module.RULES for module in modules)
    outcome = Outcome(Tally(Graph(rules)))
    listen(outcome.trouble)
    gate = hammer_calls.Gate()
    workers = begin_workers(kinds, options.threads, gate)
    left = options.seconds
    while left > 0 and not outcome.trouble:
        seconds = min(left, options.slice)
        left -= seconds
        faulthandler.dump_traceback_later(seconds + HANG_S, exit=True)
        gate.run.set()
        took = record(options, folder, seconds)
        gate.run.clear()
        while CHILDREN.alive:
            time.sleep(0.01)
        faulthandler.dump_traceback_later(10 * seconds + HANG_S, exit=True)  # reading takes long
        outcome.add(outcome.tally.check_folder(folder, os.getpid()), took)
        tell_slice(outcome, options)
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    gate.over.set()
    gate.run.set()
    for worker in workers:
        worker.join()
    faulthandler.cancel_dump_traceback_later()
    return outcome


def tell_slice(outcome: Outcome, options: argparse.Namespace) -> None:
    kinds = outcome.tally.kinds.values()
    print(
        f"slice {outcome.slices}: {outcome.recorded_s:.0f} of {options.seconds:.0f} s,"
        f" {outcome.stats.passes / outcome.recorded_s:.0f} passes a second,"
        f" {sum(kind.samples for kind in kinds)} samples,"
        f" {sum(kind.impossible for kind in kinds)} impossible,"
        f" {sum(kind.torn for kind in kinds)} torn, {CHILDREN.ended} children ended",
        flush=True,
    )


def share(part: int, whole: int) -> str:
    return f"1 in {whole / part:.0f}" if part else "none"


def tell(outcome: Outcome) -> None:
    tally, stats = outcome.tally, outcome.stats
    print(
        f"\n{'kind':16}{'samples':>12}{'had run':>12}{'torn':>9}{'impossible':>12}"
        f"  {'of had run':14}time the samples stand for"
    )
    for name, kind in sorted(tally.kinds.items()):
        print(
            f"{name:16}{kind.samples:12}{kind.moving:12}{kind.torn:9}{kind.impossible:12}"
            f"  {share(kind.impossible, kind.moving):14}{kind.wall_ns / 1e9:.1f} s"
        )
    for (name, caller, callee), number in tally.edges.most_common(40):
        print(f"impossible, {number} times in {name}: {caller} -> {callee}")
    print(
        f"{stats.passes / max(outcome.recorded_s, 1e-9):.0f} passes a second over"
        f" {outcome.recorded_s:.0f} s in {outcome.slices} slices, {tally.files} files of which"
        f" {tally.child_files} of children; sampler {stats.sampler_cpu_ns / 1e9:.1f} s CPU,"
        f" recorder {stats.recorder_cpu_ns / 1e9:.1f} s"
    )
    print(f"{stats}\n{CHILDREN}, largest memory {peak_mb():.0f} MB")
    print(f"the rules forbid {tally.caught():.1%} of the calls made up by crossing seen ones")


def peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def verdict(outcome: Outcome) -> list[str]:
    """The bounds that are broken, a line each."""
    broken = []
    rest = Kind()
    for name, kind in outcome.tally.kinds.items():
        if name in BOUNDS:
            broken += over_bound(name, kind, BOUNDS[name])
        else:
            rest.moving += kind.moving
            rest.impossible += kind.impossible
    broken += over_bound("all but generators", rest, BOUND)
    moving = sum(kind.moving for kind in outcome.tally.kinds.values())
    torn = sum(kind.torn for kind in outcome.tally.kinds.values())
    print(f"torn: {torn / max(1, moving):.3%} of the samples whose thread had run")
    if torn > TORN_BOUND * moving:
        broken.append("torn stacks above 0.5 %")
    if not outcome.stats.passes:
        broken.append("no pass was recorded")
    if outcome.tally.seen and outcome.tally.caught() < 0.5:
        broken.append("the rules allow nearly everything: the check proves nothing")
    return broken


def lost_time(outcome: Outcome, options: argparse.Namespace, kinds: list[str]) -> list[str]:
    """Kinds whose threads were there all the time, but for most of it have no sample."""
    there_s = outcome.recorded_s * options.threads
    return [
        f"no samples of {name} for {1 - wall_s / there_s:.0%} of the time"
        for name in kinds
        if (wall_s := outcome.tally.kinds.get(name, Kind()).wall_ns / 1e9) < SEEN_BOUND * there_s
    ]


def over_bound(name: str, kind: Kind, bound: float) -> list[str]:
    print(
        f"{name}: {share(kind.impossible, kind.moving)} of {kind.moving} impossible,"
        f" 1 in {1 / bound:.0f} allowed"
    )
    return [f"impossible stacks: {name}"] if kind.impossible > bound * kind.moving else []


def parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=600.0, help="recorded time")
    parser.add_argument("--slice", type=float, default=20.0, help="seconds of one recording")
    parser.add_argument("--rate", type=float, default=10_000.0)
    parser.add_argument("--engine", default="native", help="native, python, auto or none")
    parser.add_argument("--only", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--threads", type=int, default=1, help="threads of each kind")
    parser.add_argument("--switch", type=float, default=1.0, help="ms until the GIL is asked for")
    parser.add_argument("--folder", help="for the sample files; default: one that is removed")
    options = parser.parse_args()
    kinds = options.only.split(",")
    if not set(kinds) <= set(KINDS):
        parser.error(
            f"no kind {sorted(set(kinds) - set(KINDS))} here; there are {', '.join(KINDS)}"
        )
    return options, kinds


def main() -> int:
    """Hammer, tell, judge."""
    options, kinds = parse()
    faulthandler.enable()
    sys.setrecursionlimit(10_000)
    sys.setswitchinterval(options.switch / 1000)
    # Python 3.12 warns of fork beside threads: that is what is tried here.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    gc.freeze()  # the hammer's own code is no part of the garbage
    absent = {"greenlets", "forks", "subinterpreters"} - set(KINDS)
    print(f"Python {sys.version.split()[0]}, engine {options.engine}, {', '.join(kinds)}")
    if absent:
        print(f"not tried, not there: {', '.join(sorted(absent))}")
    # Not TemporaryDirectory: a child that leaves through atexit would take the folder with it.
    folder = options.folder or tempfile.mkdtemp(prefix="hammer-")
    try:
        outcome = hammer(options, folder, kinds)
    finally:
        if not options.folder:
            shutil.rmtree(folder)
    tell(outcome)
    broken = outcome.troubles()
    if options.engine != "none":
        broken += verdict(outcome) + lost_time(outcome, options, kinds)
    print("\n".join(f"BROKEN: {what}" for what in broken) or "all bounds hold")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
