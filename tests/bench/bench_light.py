"""How light the profiler is: the app's slow-down, and what sampler and recorder use themselves.

    python tests/bench/bench_light.py [--engine native] [--pairs 15] [--seconds 1.0]
                                      [--rates 100,1000] [--budget 0]
                                      [--only slowdown,sampler,rate,parked]

- slowdown: equal work with and without, in interleaved pairs of which every second one begins
  with the other side: CPU-bound, 100 frames deep, 50 threads, asyncio with 200 tasks. Of wall
  time, of the process's CPU time, and of the CPU time of the app's own threads, which is the
  steadiest on a machine that others use too.
- sampler: CPU per pass of 8 threads at depth 30, against a C program that only wakes as often;
  after the first second, in which code and threads are seen for the first time
- rate: passes a second under CPU-bound load, against what was asked
- parked: 500 waiting threads at 100 Hz, as a share of a core

Fails (exit 1) where the sampler uses more than 3 times what waking up costs, reaches less than
97 % of the rate, or takes 1 % of a core or more for parked threads.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench_loads import PROGRAMS, living, recorded, spread

SAMPLER_BOUND = 3.0
RATE_BOUND = 0.97
PARKED_BOUND = 0.01
MEASURES = ("wall", "process", "app")

BARE = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static long interval, wakes;
static void *wake(void *unused) {
    struct timespec due, cpu;
    (void)unused;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (long n = 0; n < wakes; n++) {
        due.tv_nsec += interval;
        while (due.tv_nsec >= 1000000000) { due.tv_nsec -= 1000000000; due.tv_sec++; }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    printf("%ld\n", (cpu.tv_sec * 1000000000L + cpu.tv_nsec) / wakes);
    return NULL;
}
int main(int count, char **words) {
    pthread_t thread;
    if (count != 3) return 2;
    interval = atol(words[1]);
    wakes = atol(words[2]);
    pthread_create(&thread, NULL, wake, NULL);
    return pthread_join(thread, NULL);
}
"""


@dataclass
class Cost:
    """Seconds that a piece of work took."""

    wall: float = 0.0
    process: float = 0.0
    app: float = 0.0


def timed(program: Callable[[int], float], rounds: int) -> Cost:
    wall, process = time.perf_counter(), time.process_time()
    app = program(rounds)
    return Cost(time.perf_counter() - wall, time.process_time() - process, app)


def enough_rounds(program: Callable[[int], float], seconds: float) -> int:
    """How much work takes that long here."""
    rounds = 400
    while (took := timed(program, rounds).wall) < seconds / 4:
        rounds *= 2
    return max(400, round(rounds * seconds / took))


def slow_down(options: argparse.Namespace) -> list[str]:
    """Print cost with over cost without, for each program and rate."""
    for name, program in PROGRAMS.items():
        rounds = enough_rounds(program, options.seconds)
        for rate in options.rates:
            ratios: dict[str, list[float]] = {measure: [] for measure in MEASURES}
            for number in range(options.pairs):
                costs: dict[bool, Cost] = {}
                for profiled in (number % 2 == 0, number % 2 == 1):
                    if profiled:
                        with recorded(options.engine, rate, options.budget):
                            costs[True] = timed(program, rounds)
                    else:
                        costs[False] = timed(program, rounds)
                for measure, found in ratios.items():
                    found.append(getattr(costs[True], measure) / getattr(costs[False], measure))
            told = ", ".join(f"{measure} {spread(found)}" for measure, found in ratios.items())
            print(f"slow-down, {name:18} {rate:5g} Hz: {told}", flush=True)
    return []


def bare_program(folder: str) -> str | None:
    """The C program that only wakes up, compiled; None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, program = Path(folder, "bare.c"), Path(folder, "bare")
    source.write_text(BARE)
    subprocess.run([compiler, "-O2", "-pthread", "-o", program, source], check=True)
    return str(program)


def sampler(options: argparse.Namespace) -> list[str]:
    """Print CPU per pass against CPU per bare wake-up, beside the same threads, in turns."""
    broken = []
    with tempfile.TemporaryDirectory() as folder:
        bare = bare_program(folder)
        if bare is None:
            print("sampler: no C compiler (cc) here, so nothing to compare with: left out")
            return []
        for busy in (False, True):
            for rate in options.rates:
                name = f"8 {'busy' if busy else 'waiting'} threads at depth 30, {rate:g} Hz"
                passes, wakes = sampler_turns(options, bare, rate, busy=busy)
                ratio = statistics.median(passes) / statistics.median(wakes)
                print(
                    f"sampler, {name}: {spread(passes)} µs a pass, {spread(wakes)} µs to wake,"
                    f" {ratio:.2f} times, {SAMPLER_BOUND:g} allowed",
                    flush=True,
                )
                if ratio > SAMPLER_BOUND:
                    broken.append(f"sampler CPU: {name}: {ratio:.2f} times a bare thread's")
    return broken


def sampler_turns(
    options: argparse.Namespace, bare: str, rate: float, *, busy: bool
) -> tuple[list[float], list[float]]:
    """Microseconds per pass and per wake-up, measured in turns."""
    passes, wakes = [], []
    words = [bare, str(round(1e9 / rate)), str(max(20, round(rate * options.seconds)))]
    with living(8, 30, busy=busy):
        for _ in range(max(3, options.pairs // 3)):
            wakes.append(int(subprocess.check_output(words)) / 1000)
            with recorded(options.engine, rate, options.budget) as taken:
                time.sleep(1)
                first, began = sampler_cpu_s(), time.perf_counter()
                time.sleep(max(options.seconds, 20 / rate))
                used, took = sampler_cpu_s() - first, time.perf_counter() - began
            passes.append(used / (taken.stats.passes / taken.seconds * took) * 1e6)
    return passes, wakes


def rate_reached(options: argparse.Namespace) -> list[str]:
    """Print passes a second beside one and beside eight threads that never wait."""
    broken = []
    for count in (1, 8):
        for rate in options.rates:
            with (
                living(count, 30, busy=True),
                recorded(options.engine, rate, options.budget) as taken,
            ):
                time.sleep(max(3 * options.seconds, 20 / rate))
            reached = taken.stats.passes / taken.seconds / rate
            late = taken.stats.late / max(1, taken.stats.passes)
            print(
                f"rate, {count} busy threads, {rate:g} Hz: {reached:.1%} reached,"
                f" {RATE_BOUND:.0%} asked for; {late:.1%} of the passes late,"
                f" {getattr(taken.stats, 'stretched_passes', 0)} put off to stay within the budget",
                flush=True,
            )
            if reached < RATE_BOUND:
                broken.append(f"rate: {reached:.1%} of {rate:g} Hz beside {count} busy threads")
    return broken


def sampler_cpu_s() -> float:
    """The same of the sampler thread alone."""
    return our_cpu_s("flamespan\n")


def our_cpu_s(name: str = "flamespan") -> float:
    """CPU seconds of the threads of this process whose name begins so, as Linux counts them."""
    used_ns = 0
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().startswith(name):
            used_ns += int((task / "schedstat").read_text().split()[0])
    return used_ns / 1e9


def parked(options: argparse.Namespace) -> list[str]:
    """Print what 500 waiting threads cost at 100 Hz: the first second, and from then on."""
    seconds = max(5.0, 5 * options.seconds)
    with living(500, 10, busy=False), recorded(options.engine, 100, options.budget) as taken:
        time.sleep(1)
        first = our_cpu_s()
        time.sleep(seconds)
        own = (our_cpu_s() - first) / seconds
    reached = taken.stats.passes / taken.seconds / 100
    print(
        f"parked, 500 threads, 100 Hz: {own:.2%} of a core, {PARKED_BOUND:.0%} allowed "
        f"({first * 1000:.0f} ms in the first second); {reached:.1%} of the rate reached,"
        f" {getattr(taken.stats, 'stretched_passes', 0)} passes put off to stay within the budget"
    )
    broken = [f"parked threads: {own:.2%}"] if own >= PARKED_BOUND else []
    if reached < RATE_BOUND:
        broken.append(f"parked threads: {reached:.1%} of 100 Hz, so the cost is not that of 100 Hz")
    return broken


PARTS = {"slowdown": slow_down, "sampler": sampler, "rate": rate_reached, "parked": parked}


def main() -> int:
    """Run the parts and judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=False)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of work, each time")
    parser.add_argument("--rates", default="100,1000")
    parser.add_argument("--budget", type=float, help="as in profiler.start; 0: no limit")
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    options.rates = [float(rate) for rate in options.rates.split(",")]
    with recorded(options.engine, options.rates[0]):
        pass  # the first start imports, and proves the engine
    broken = [what for name in options.only.split(",") for what in PARTS[name](options)]
    print("\n".join(f"BROKEN: {what}" for what in broken) or "all bounds hold")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
