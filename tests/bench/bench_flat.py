"""Whether a long recording stays as small and as cheap as it began.

    python tests/bench/bench_flat.py [--engine native] [--rate 1000] [--seconds 600]
                                     [--objects 3000000] [--only constant,same,differing]

- constant: memory and CPU per pass over the whole time, beside threads whose code never changes.
  An hour at 1 kHz is 3.6 million passes: ``--rate 10000 --seconds 360`` has as many.
- same, differing: memory per code object that is made, run once and let go, all with the same
  name or each with its own; what the same program grows by without the profiler is taken off,
  and so are the names that the file holds.

Each runs in a process of its own. Fails (exit 1) where memory grows by 10 MB, by 1 byte a code
object, or where a pass of the last tenth costs more than 1.25 times one of the first.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import count, pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from bench_loads import living

from flamespan import profiler
from flamespan.profiler import lifecycle
from flamespan.profiler.model import Definitions
from flamespan.profiler.samplefile import SampleReader

GROWTH_MB = 10.0
OBJECT_BYTES = 1.0
COST = 1.25
STEPS = 100
MADE = "<made by bench_flat>"
SETTLE_S = 3.0
"""Until first buffers and tables are there: what comes after counts as growth."""


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def start(options: argparse.Namespace) -> None:
    if options.engine != "none":
        profiler.start(options.folder, options.rate, engine=options.engine)


def constant(options: argparse.Namespace) -> dict[str, Any]:
    """In the child: memory and sampler CPU at each step of the time."""
    with living(4, 30, busy=True), living(20, 30, busy=False):
        before = rss_mb()
        start(options)
        time.sleep(SETTLE_S)
        session = lifecycle.running()
        assert session is not None
        seen = []
        for step in range(STEPS + 1):
            if step:
                time.sleep(options.seconds / STEPS)
            stats = session.engine.stats()
            seen.append((rss_mb(), stats.passes, stats.sampler_cpu_ns))
        profiler.stop()
    return {"before": before, "seen": seen}


def made_and_let_go(options: argparse.Namespace) -> dict[str, Any]:
    """In the child: memory before and after running so many code objects once."""
    code = compile("sum(range(20))", MADE, "exec")
    numbers = count()
    names: dict[str, object] = {}

    def run(objects: int) -> None:
        for number in (next(numbers) for _ in range(objects)):
            name = f"made_{number}" if options.child == "differing" else "made"
            exec(code.replace(co_name=name, co_qualname=name), names)

    start(options)
    # A tenth first, and some time: tables and arenas reach their size.
    begun = time.monotonic()
    run(options.objects // 10)
    time.sleep(max(0.0, SETTLE_S - (time.monotonic() - begun)))
    gc.collect()
    before = rss_mb()
    run(options.objects)
    gc.collect()
    time.sleep(1.5)  # a flush
    after = rss_mb()
    profiler.stop()
    return {"before": before, "after": after}


def child(options: argparse.Namespace, part: str, engine: str, folder: str) -> dict[str, Any]:
    """Run a part in a fresh process."""
    words = [sys.executable, __file__, f"--child={part}", f"--engine={engine}"]
    words += [f"--folder={folder}", f"--rate={options.rate}", f"--seconds={options.seconds}"]
    done = subprocess.run(
        [*words, f"--objects={options.objects}"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{part} failed with {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def judge_constant(options: argparse.Namespace) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        found = child(options, "constant", options.engine, folder)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    seen = found["seen"]
    steps = [
        (later[2] - earlier[2]) / max(1, later[1] - earlier[1]) / 1000
        for earlier, later in pairwise(seen)
    ]
    costs = [statistics.median(some) for some in zip(*[iter(steps)] * (STEPS // 10), strict=True)]
    growth = seen[-1][0] - seen[0][0]
    passes = seen[-1][1]
    print(
        f"constant, {options.seconds:g} s, {passes} passes ({passes / 3.6e6:.2f} hours at 1 kHz),"
        f" {size / 1e6:.1f} MB of files\n"
        f"  memory: {found['before']:.1f} MB before, {seen[0][0]:.1f} MB {SETTLE_S:g} s after the"
        f" start, {seen[-1][0]:.1f} MB at the end: {growth:+.2f} MB, {GROWTH_MB:g} allowed\n"
        f"  µs a pass, medians of tenths: {' '.join(f'{cost:.1f}' for cost in costs)}; last / first"
        f" {costs[-1] / costs[0]:.3f}, {COST} allowed",
        flush=True,
    )
    broken = []
    if growth >= GROWTH_MB:
        broken.append(f"memory grew by {growth:.1f} MB with constant code")
    if costs[-1] > COST * costs[0]:
        broken.append(f"a pass costs {costs[-1] / costs[0]:.2f} times what it did")
    return broken


def judge_made(options: argparse.Namespace, part: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        without = child(options, part, "none", folder)
        found = child(options, part, options.engine, folder)
        functions, name_bytes = recorded_names(folder)
    grown = (found["after"] - found["before"]) * 1e6
    plain = (without["after"] - without["before"]) * 1e6
    each = (grown - plain - name_bytes) / options.objects
    print(
        f"{part} names, {options.objects} code objects, {functions} of them recorded with"
        f" {name_bytes} bytes of names: memory {grown / 1e6:+.2f} MB with, {plain / 1e6:+.2f} MB"
        f" without: {each:+.3f} bytes an object, {OBJECT_BYTES:g} allowed",
        flush=True,
    )
    return [f"{each:.2f} bytes a code object, {part} names"] if each >= OBJECT_BYTES else []


def recorded_names(folder: str) -> tuple[int, int]:
    """How many of the made functions the files define, and how long their names are."""
    functions = name_bytes = 0
    for path in Path(folder).glob("*.fspan"):
        for block in SampleReader(path).blocks():
            if isinstance(block, Definitions):
                made = [row.name for row in block.functions if row.file == MADE]
                functions += len(made)
                name_bytes += sum(map(len, made))
    return functions, name_bytes


def main() -> int:
    """Run the parts and judge; with ``--child`` be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=False)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the constant part")
    parser.add_argument("--objects", type=int, default=3_000_000)
    parser.add_argument("--only", default="constant,same,differing")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        part = constant if options.child == "constant" else made_and_let_go
        print(json.dumps(part(options)))
        return 0
    broken = []
    for part in options.only.split(","):
        broken += judge_constant(options) if part == "constant" else judge_made(options, part)
    print("\n".join(f"BROKEN: {what}" for what in broken) or "flat")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
