"""Sample files of a service under load, as the recorder would write them, with a known difference.

40 transaction names (popularity by Zipf's law), durations with a heavy tail (log-normal), 180
functions. Samples of one transaction resemble each other: each has its own mix of stacks, and a
stack is seen several times in a row. So files of one service differ as recordings of one service
do, and only ``slower`` makes a real difference.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
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

NAMES, FUNCTIONS, STACKS, STACKS_A_NAME = 40, 180, 3000, 300
LINES = 3
INTERVAL_US, PASSES_A_FLUSH = 10_000, 10_000
TICK_NS = 1000
PATHS = {"stdlib": "/lib", "sys_path": ["/srv/app"]}


@dataclass(frozen=True)
class Service:
    """What the code is: stacks of functions (root first), and what each request does."""

    stacks: list[list[int]]
    popularity: np.ndarray
    median_samples: np.ndarray
    choices: np.ndarray
    weights: np.ndarray

    @classmethod
    def make(cls, seed: int = 1) -> Service:
        rng = np.random.default_rng(seed)
        callees = rng.integers(5, FUNCTIONS, (FUNCTIONS, 12))
        stacks = []
        for _ in range(STACKS):
            stack = [0, 1, 2]
            for _ in range(int(rng.integers(3, 18))):
                stack.append(int(callees[stack[-1], min(int(rng.zipf(1.6)) - 1, 11)]))
            stacks.append(stack)
        popularity = 1 / np.arange(1, NAMES + 1) ** 1.1
        return cls(
            stacks,
            popularity / popularity.sum(),
            rng.lognormal(np.log(24), 0.5, NAMES),
            np.array([rng.choice(STACKS, STACKS_A_NAME, False) for _ in range(NAMES)]),
            1 / np.arange(1, STACKS_A_NAME + 1) ** 0.9,
        )

    @property
    def leaf(self) -> np.ndarray:
        return np.array([stack[-1] for stack in self.stacks])

    def transaction(self, rng, name: int, slower: int, factor: float) -> np.ndarray:
        """Stacks of one request, a sample each."""
        length = max(int(self.median_samples[name] * rng.lognormal(0, 1)), 1)
        taste = self.weights * rng.lognormal(0, 0.7, STACKS_A_NAME)
        runs = rng.geometric(0.4, length // 2 + 2)
        seen = self.choices[name][rng.choice(STACKS_A_NAME, len(runs), p=taste / taste.sum())]
        cut = np.minimum(np.cumsum(runs), length)
        runs = np.diff(cut, prepend=0)
        # The same work takes longer: as many runs, each of ``factor`` times its length.
        longer = runs * factor
        whole = np.floor(longer).astype(int)
        whole += rng.random(len(runs)) < longer - whole
        runs = np.where(self.leaf[seen] == slower, whole, runs)
        return np.repeat(seen, runs)

    def true_shares(self, transactions: int = 60_000) -> np.ndarray:
        """Each function's self share, from far more requests than a file has."""
        rng = np.random.default_rng(999)
        counts = np.zeros(FUNCTIONS)
        for name in rng.choice(NAMES, transactions, p=self.popularity):
            stacks = self.transaction(rng, int(name), -1, 1)
            counts += np.bincount(self.leaf[stacks], minlength=FUNCTIONS)
        return counts / counts.sum()


def record(
    service: Service,
    path: Path,
    seed: int,
    transactions: int = 2000,
    *,
    slower: int = -1,
    factor: float = 1,
    popularity: np.ndarray | None = None,
) -> Path:
    """Write one file; ``slower`` is a function whose self time is ``factor`` times the usual."""
    rng = np.random.default_rng(seed)
    mix = service.popularity if popularity is None else popularity
    names = rng.choice(NAMES, transactions, p=mix)
    parts = [service.transaction(rng, int(name), slower, factor) for name in names]
    lengths = np.array([max(len(part), 1) for part in parts])
    parts = [part if len(part) else np.array([0]) for part in parts]
    span = np.repeat(np.arange(1, transactions + 1), lengths)
    steps = np.maximum(rng.normal(INTERVAL_US, 300, len(span)), 100).astype(np.int64)
    ends = np.cumsum(steps)
    edges = np.r_[0, np.cumsum(lengths)]
    starts_ns = np.r_[0, ends[edges[1:-1] - 1]] * TICK_NS
    events = SpanEvents(
        [
            SpanStart(i + 1, 0, 100, f"GET /route-{name}", "http.server", "", int(starts_ns[i]))
            for i, name in enumerate(names)
        ],
        [SpanEnd(i + 1, int(ends[edges[i + 1] - 1]) * TICK_NS, "ok") for i in range(transactions)],
    )
    _write(path, _definitions(service), np.concatenate(parts), span, steps, events)
    return path


def _definitions(service: Service) -> tuple[Definitions, list[int]]:
    """Functions, their frames (``LINES`` each) and the node of every stack."""
    made = Definitions(threads=[Thread(0, 100, 200, "MainThread", is_main=True)])
    nodes: dict[tuple[int, int], int] = {}
    for f in range(FUNCTIONS):
        folder = "/lib" if f % 4 == 0 else "/srv/app"
        made.functions.append(Function(f"f{f}", f"{folder}/part{f // 10}.py", f + 1))
        for line in range(LINES):
            made.frame_function.append(f + 1)
            made.frame_line.append(f + 1 + line)
    leaves = []
    for stack in service.stacks:
        node = 0
        for f in stack:
            if (node, f) not in nodes:
                nodes[node, f] = len(nodes) + 1
                made.stack_parent.append(node)
                made.stack_frame.append(f * LINES + (node + f) % LINES + 1)
            node = nodes[node, f]
        leaves.append(node)
    return made, leaves


def _write(path, defined, stacks, span, steps, events) -> None:
    definitions, leaves = defined
    nodes = np.array(leaves)[stacks]
    header = Header(session_id=path.name, pid=1, interval_ns=INTERVAL_US * TICK_NS, paths=PATHS)
    writer = SampleWriter(path, header)
    begun = 0
    for first in range(0, len(nodes), PASSES_A_FLUSH):
        part = slice(first, first + PASSES_A_FLUSH)
        count = len(nodes[part])
        samples = Samples(
            tick_ns=TICK_NS,
            start_ticks=begun,
            pass_ticks=array("q", steps[part].tolist()),
            pass_samples=array("I", [1]) * count,
            pass_unobserved=array("q", [0]) * count,
            pass_missed=array("I", [0]) * count,
            thread=array("I", [0]) * count,
            stack=array("I", nodes[part].tolist()),
            span=array("q", span[part].tolist()),
            wall_extra=array("q", [0]) * count,
            cpu_ticks=array("q", steps[part].tolist()),
            state=array("B", [State.RUNNING]) * count,
            flags=array("B", [0]) * count,
        )
        begun += int(steps[part].sum())
        new = definitions if first == 0 else Definitions(*_after(definitions))
        writer.flush(new, samples, events if first == 0 else SpanEvents(), Stats())
    writer.close(End("stop", begun * TICK_NS))


def _after(d: Definitions):
    """Nothing new: where ids would go on."""
    return (len(d.functions) + 1, [], len(d.frame_function) + 1, array("I"), array("I"),
            len(d.stack_parent) + 1)  # fmt: skip
