"""The worst case for a flame chart: every sample ends the three boxes of the one before.

One thread, a root part of eight frames that is the same in all samples, above it three frames that
differ from sample to sample, so N samples are 3 N boxes; 1 000 samples a transaction. Wall and CPU
times are noisy, since that is what fills a page's file. Deterministic.

    python tests/bench/synthetic_boxes.py FILE [N]        default N: 1000000
"""

from __future__ import annotations

import sys
from array import array
from pathlib import Path

import numpy as np

from flamespan.profiler.model import (
    Definitions,
    End,
    Function,
    Header,
    Samples,
    SpanEnd,
    SpanEvents,
    SpanStart,
    State,
    Stats,
    Thread,
)
from flamespan.profiler.samplefile import SampleWriter

ROOT, CHOICES, SAMPLES_A_SPAN, SAMPLES_A_FLUSH, TICK_NS = 8, 40, 1000, 20_000, 1000
FUNCTIONS = ROOT + 3 * CHOICES
PATHS = {"stdlib": "/lib", "sys_path": ["/srv/app"]}


def write(path: Path, samples: int) -> Path:
    """Write ``samples`` samples in one thread to ``path``."""
    rng = np.random.default_rng(3)
    nodes = _nodes(rng, samples)
    steps = np.maximum(rng.normal(10_000, 300, samples), 1000).astype(np.int64)
    cpu = (steps * rng.uniform(0, 1, samples)).astype(np.int64)
    ends = np.cumsum(steps)
    header = Header(session_id="boxes", pid=1, interval_ns=10_000_000, paths=PATHS)
    path.unlink(missing_ok=True)
    writer = SampleWriter(path, header)
    for first in range(0, samples, SAMPLES_A_FLUSH):
        part = slice(first, min(first + SAMPLES_A_FLUSH, samples))
        new = _definitions() if first == 0 else _nothing_new()
        events = _spans(ends, samples) if first == 0 else SpanEvents()
        writer.flush(new, _samples(part, nodes, steps, cpu, ends), events, Stats())
    writer.close(End("stop", int(ends[-1]) * TICK_NS))
    return path


def _nodes(rng: np.random.Generator, samples: int) -> np.ndarray:
    """The leaf's node of every sample; the frame above the root part is never that of before."""
    low = np.cumsum(rng.integers(1, CHOICES, samples)) % CHOICES
    middle, high = rng.integers(0, CHOICES, (2, samples))
    return 1 + ROOT + CHOICES + CHOICES**2 + (low * CHOICES + middle) * CHOICES + high


def _definitions() -> Definitions:
    """Functions (a frame each), the root part and all stacks of three frames above it."""
    made = Definitions(threads=[Thread(0, 100, 200, "MainThread", is_main=True)])
    for f in range(FUNCTIONS):
        folder = "/lib" if f % 4 == 0 else "/srv/app"
        made.functions.append(
            Function(f"Part{f % 7}.step_{f}", f"{folder}/part{f // 10}.py", f + 1)
        )
        made.frame_function.append(f + 1)
        made.frame_line.append(f + 2)
    for depth in range(ROOT):
        made.stack_parent.append(depth)
        made.stack_frame.append(depth + 1)
    first, level = ROOT, np.array([ROOT])
    for height in range(3):
        made.stack_parent.extend(np.repeat(level, CHOICES).tolist())
        frames = np.arange(1, CHOICES + 1) + ROOT + height * CHOICES
        made.stack_frame.extend(np.tile(frames, len(level)).tolist())
        level = np.arange(first + 1, first + 1 + len(level) * CHOICES)
        first += len(level)
    return made


def _nothing_new() -> Definitions:
    nodes = ROOT + CHOICES + CHOICES**2 + CHOICES**3
    return Definitions(FUNCTIONS + 1, [], FUNCTIONS + 1, array("I"), array("I"), nodes + 1)


def _spans(ends: np.ndarray, samples: int) -> SpanEvents:
    edges = np.r_[0, ends[SAMPLES_A_SPAN - 1 :: SAMPLES_A_SPAN]] * TICK_NS
    count = (samples + SAMPLES_A_SPAN - 1) // SAMPLES_A_SPAN
    edges = np.r_[edges[:count], ends[-1] * TICK_NS].tolist()
    return SpanEvents(
        [
            SpanStart(n + 1, 0, 100, f"GET /route-{n % 20}", "http.server", "", edges[n])
            for n in range(count)
        ],
        [SpanEnd(n + 1, edges[n + 1], "ok") for n in range(count)],
    )


def _samples(part: slice, nodes, steps, cpu, ends) -> Samples:
    count = part.stop - part.start
    return Samples(
        tick_ns=TICK_NS,
        start_ticks=int(ends[part.start] - steps[part.start]),
        pass_ticks=array("q", steps[part].tolist()),
        pass_samples=array("I", [1]) * count,
        pass_unobserved=array("q", [0]) * count,
        pass_missed=array("I", [0]) * count,
        thread=array("I", [0]) * count,
        stack=array("I", nodes[part].tolist()),
        span=array("q", (np.arange(part.start, part.stop) // SAMPLES_A_SPAN + 1).tolist()),
        wall_extra=array("q", [0]) * count,
        cpu_ticks=array("q", cpu[part].tolist()),
        state=array("B", [State.RUNNING]) * count,
        flags=array("B", [0]) * count,
    )


if __name__ == "__main__":
    count = int(float(sys.argv[2])) if len(sys.argv) > 2 else 10**6
    print(write(Path(sys.argv[1]), count))
