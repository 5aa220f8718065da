"""From sample files of 10^6, 10^7 and 10^8 samples to the answers; exports; peers on the same data.

    python tests/bench/bench_aggregate.py [--sizes 1e6,1e7,1e8] [--data FOLDER] [--no-peers]

For each size: bytes a sample, then seconds (imports excluded, best and median of fresh processes)
and peak memory of load, function table (with intervals), tree and per-transaction table. Then how
time grows with size, every export of 10^6 samples, and what speedscope, flamegraph.pl and
pyinstrument take for the same samples (``aggregate_peers.py``). FOLDER keeps the data between
runs. A line with a target says ``pass`` or ``MISSED``; the targets are for two idle cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import aggregate_peers
import repeated_recording
import synthetic_recording

TARGET_S = {10**6: 0.5, 10**7: 2.5, 10**8: 25.0}
TARGET_MB = 1200
TARGET_EXPORT_S = 1.0
TARGET_EXPONENT = 1.05
"""Seconds may grow as this power of the samples: 1 is linear."""

CHILD = """
import json, resource, sys, time
from flamespan.aggregator import load
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
imported, t0, c0 = peak(), time.perf_counter(), time.process_time()
profile = load(sys.argv[1])
t1 = time.perf_counter()
table = profile.functions()
t2 = time.perf_counter()
tree = profile.tree()
t3 = time.perf_counter()
transactions = profile.transactions()
t4, c4 = time.perf_counter(), time.process_time()
assert table["self_ns"].sum() == tree.self_ns.sum() == profile.total_ns
assert profile.info()["samples"] == int(sys.argv[2]), profile.info()["samples"]
print(json.dumps({"load": t1 - t0, "functions": t2 - t1, "tree": t3 - t2, "transactions": t4 - t3,
                  "total": t4 - t0, "cpu": c4 - c0, "peak_mb": peak(), "imports_mb": imported}))
"""
EXPORTS = """
import json, os, sys, time, warnings
from flamespan.aggregator import exporting, load
warnings.simplefilter("ignore")
name, path = sys.argv[2], os.path.join(sys.argv[3], "out" + exporting.FORMATS[sys.argv[2]].suffix)
if name == "parquet":
    import pyarrow.parquet
best = []
for _ in range(2):  # the second time, what the format's module imports is there
    profile = load(sys.argv[1])
    if os.path.exists(path):  # freeing what an old file holds is the system's work
        os.unlink(path)
    began = time.perf_counter(), time.process_time()
    exporting.export(profile, name, path)
    best.append((time.perf_counter() - began[0], time.process_time() - began[1]))
print(json.dumps([*min(best), os.path.getsize(path)]))
os.unlink(path)
"""


def verdict(value: float, target: float, unit: str) -> str:
    """``pass`` or ``MISSED``, and of what."""
    return f"{'pass' if value <= target else 'MISSED'} (target {target:g} {unit})"


def prepared(folder: Path, samples: int) -> Path:
    """The sample file of this size; those above 10^7 repeat that one's samples."""
    path = folder / f"{samples}.fspan"
    if path.exists():
        return path
    if samples > 10**7:
        repeated_recording.repeat(prepared(folder, 10**7), samples // 10**7, path)
    else:
        made, seconds = synthetic_recording.make(folder, samples)
        print(f"{samples}: {seconds / samples * 1e6:.2f} us a sample to write")
        made.rename(path)
    return path


def measure(path: Path, samples: int, times: int) -> dict[str, float]:
    """Print one size; returns the best total and CPU seconds."""
    command = [sys.executable, "-c", CHILD, str(path), str(samples)]
    runs = [json.loads(subprocess.check_output(command)) for _ in range(times)]
    print(f"{samples:>10} samples, {path.stat().st_size / samples:.2f} bytes each")
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    for name in ("load", "functions", "tree", "transactions", "cpu", "total"):
        median = statistics.median(run[name] for run in runs)
        line = f"  {name:13} best {best[name]:7.3f} s   median {median:7.3f} s"
        if name == "total" and samples in TARGET_S:
            line += f"   {verdict(best[name], TARGET_S[samples], 's')}"
        print(line)
    print(f"  peak memory {best['peak_mb']:.0f} MB ({best['imports_mb']:.0f} MB are imports)   "
          f"{verdict(best['peak_mb'], TARGET_MB, 'MB')}", flush=True)  # fmt: skip
    return best


def fit(found: dict[int, float]) -> None:
    """Least squares of log(seconds) over log(samples): an exponent of 1 is linear growth.

    And what the samples of each step cost: where that rises, growth is more than linear.
    """
    import numpy as np

    sizes = sorted(found)
    exponent, _ = np.polyfit(np.log(sizes), np.log([found[size] for size in sizes]), 1)
    print(f"growth: seconds ~ samples ^ {exponent:.2f}   "
          f"{verdict(exponent, TARGET_EXPONENT, 'at most')}")  # fmt: skip
    for small, large in pairwise(sizes):
        each = (found[large] - found[small]) / (large - small)
        print(
            f"  from {small:.0e} to {large:.0e} samples: {each * 1e9:.0f} ns a sample", flush=True
        )


def exports(path: Path, folder: Path) -> None:
    """Every format there is."""
    from flamespan.aggregator.exporting import FORMATS
    from flamespan.viewer import speedscope

    print(f"exports of {path.name}, loading excluded:")
    for name, format_ in FORMATS.items():
        if name == "speedscope-html" and speedscope.release() is None:
            continue
        command = [sys.executable, "-c", EXPORTS, str(path), name, str(folder)]
        seconds, cpu, size = json.loads(subprocess.check_output(command))
        order = "in time order" if format_.timed else "merged"
        print(f"  {name:18} {seconds:6.2f} s (cpu {cpu:5.2f} s) {size / 1e6:8.1f} MB  {order:14} "
              f"{verdict(seconds, TARGET_EXPORT_S, 's')}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="1e6,1e7,1e8")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--prepare", action="store_true", help="only make the data")
    parser.add_argument("--no-peers", action="store_true", help="without other programs")
    args = parser.parse_args()
    sizes = [int(float(size)) for size in args.sizes.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        paths = {samples: prepared(folder, samples) for samples in sizes}
        if args.prepare:
            return
        found = {n: measure(path, n, 5 if n <= 10**6 else 3) for n, path in paths.items()}
        if len(found) > 1:
            fit({n: best["total"] for n, best in found.items()})
        exports(paths[sizes[0]], folder)
        if not args.no_peers:
            aggregate_peers.peers(paths[sizes[0]], folder)


if __name__ == "__main__":
    main()
