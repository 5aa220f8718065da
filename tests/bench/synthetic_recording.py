"""The synthetic sample set as a sample file, written as the recorder would: a flush a second.

    python tests/bench/synthetic_recording.py FOLDER [SAMPLES]

Writes FOLDER/synthetic.fspan and prints bytes and microseconds a sample. The data is made by
``synthetic_samples.py`` (20 000 stacks of mean depth 35, 8 threads, 40 transaction names).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
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

THREADS = 8
PASSES_A_FLUSH = 100
TICK_NS = 1000
PATHS = {"site_packages": ["/usr/local/lib/python3.11/site-packages"], "sys_path": ["/srv/app"]}


class Definer:
    """Interns stacks as the engine does: functions, frames and prefix-tree nodes on first use."""

    def __init__(self, folder: Path) -> None:
        stacks = np.load(folder / "stacks.npz")
        self._off, self._flat = stacks["off"], stacks["flat"]
        self._function, self._line = stacks["frame_func"], stacks["frame_line"]
        with open(folder / "funcs.json") as file:
            self._described = json.load(file)["funcs"]
        self._functions: dict[int, int] = {}
        self._frames: dict[int, int] = {}
        self._nodes: dict[tuple[int, int], int] = {}
        self._stacks: dict[int, int] = {}

    def start(self) -> Definitions:
        """Where the next flush's definitions begin."""
        return Definitions(
            first_function=len(self._functions) + 1,
            first_frame=len(self._frames) + 1,
            first_stack=len(self._nodes) + 1,
        )

    def stack(self, number: int, new: Definitions) -> int:
        """The node of one synthetic stack; what it needs is added to ``new``."""
        if number not in self._stacks:
            node = 0
            for frame in self._flat[self._off[number] : self._off[number + 1]].tolist():
                key = (node, self._frame(frame, new))
                if key not in self._nodes:
                    self._nodes[key] = len(self._nodes) + 1
                    new.stack_parent.append(node)
                    new.stack_frame.append(key[1])
                node = self._nodes[key]
            self._stacks[number] = node
        return self._stacks[number]

    def _frame(self, frame: int, new: Definitions) -> int:
        if frame not in self._frames:
            function = int(self._function[frame])
            if function not in self._functions:
                name, file, _, _, line = self._described[function]
                self._functions[function] = len(self._functions) + 1
                new.functions.append(Function(name, file, line))
            self._frames[frame] = len(self._frames) + 1
            new.frame_function.append(self._functions[function])
            new.frame_line.append(int(self._line[frame]))
        return self._frames[frame]


def write(folder: Path, samples: int) -> tuple[Path, float]:
    """Write the file; returns its path and the seconds that the writer alone took."""
    data = dict(np.load(folder / f"samples_{samples}.npz"))
    definer = Definer(folder)
    path = folder / "synthetic.fspan"
    path.unlink(missing_ok=True)
    ticks = data["t"].reshape(-1, THREADS)[:, 0] // TICK_NS
    steps = np.diff(ticks, prepend=ticks[0] - 10_000)
    header = Header(session_id="synthetic", pid=1, interval_ns=10_000_000, paths=PATHS)
    writer = SampleWriter(path, header)
    seconds = 0.0
    open_spans: set[int] = set()
    for first in range(0, len(ticks), PASSES_A_FLUSH):
        passes = slice(first, min(first + PASSES_A_FLUSH, len(ticks)))
        rows = slice(passes.start * THREADS, passes.stop * THREADS)
        new = definer.start()
        if first == 0:
            new.threads = [Thread(i, 100 + i, 200 + i, f"worker-{i}") for i in range(THREADS)]
        stacks = [definer.stack(number, new) for number in data["stack"][rows].tolist()]
        columns = _columns(data, rows, passes, ticks, steps, stacks)
        spans = _spans(data, rows, ticks[passes.start] * TICK_NS, open_spans)
        stats = Stats(passes=passes.stop) if first % (10 * PASSES_A_FLUSH) == 0 else None
        began = time.perf_counter()
        writer.flush(new, columns, spans, stats)
        seconds += time.perf_counter() - began
    writer.close(End("stop", int(ticks[-1]) * TICK_NS))
    return path, seconds


def _columns(data, rows, passes, ticks, steps, stacks) -> Samples:
    count = passes.stop - passes.start
    cpu = data["cpu"][rows] // TICK_NS
    return Samples(
        tick_ns=TICK_NS,
        start_ticks=int(ticks[passes.start] - steps[passes.start]),
        pass_ticks=array("q", steps[passes].tolist()),
        pass_samples=array("I", [THREADS]) * count,
        pass_unobserved=array("q", [0]) * count,
        pass_missed=array("I", [0]) * count,
        thread=array("I", data["thread"][rows].tolist()),
        stack=array("I", stacks),
        span=array("q", (data["tx"][rows] + 1).tolist()),
        wall_extra=array("q", [0]) * len(stacks),
        cpu_ticks=array("q", cpu.tolist()),
        state=array("B", np.where(data["tx"][rows] < 0, State.IDLE, State.RUNNING).tolist()),
        flags=array("B", [0]) * len(stacks),
    )


def _spans(data, rows, now_ns: int, open_spans: set[int]) -> SpanEvents:
    """Transactions are told in the flush they are first seen in, and end when no longer seen."""
    seen = {number + 1 for number in np.unique(data["tx"][rows]).tolist() if number >= 0}
    events = SpanEvents(
        [
            SpanStart(n, 0, 100, f"GET /route-{data['tname'][n - 1]}", "http.server", "", now_ns)
            for n in sorted(seen - open_spans)
        ],
        [SpanEnd(n, now_ns, "ok") for n in sorted(open_spans - seen)],
    )
    open_spans ^= open_spans ^ seen
    return events


def make(folder: Path, samples: int) -> tuple[Path, float]:
    """The synthetic data in ``folder`` (made once), as a sample file; as ``write`` returns."""
    if not (folder / f"samples_{samples}.npz").exists():
        maker = Path(__file__).with_name("synthetic_samples.py")
        subprocess.run([sys.executable, maker, folder, str(samples)], check=True)
    return write(folder, samples)


def main() -> None:
    folder = Path(sys.argv[1])
    samples = int(float(sys.argv[2])) if len(sys.argv) > 2 else 10**6
    folder.mkdir(parents=True, exist_ok=True)
    path, seconds = make(folder, samples)
    size = path.stat().st_size
    print(f"{path}: {size / samples:.2f} bytes/sample, {seconds / samples * 1e6:.2f} us/sample")


if __name__ == "__main__":
    main()
