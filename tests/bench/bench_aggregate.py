"""From a sample file of 10^6 samples to the function table and the top-down tree.

    python tests/bench/bench_aggregate.py [SAMPLES]

Prints bytes and write time per sample, then seconds (imports excluded, best and median of five
fresh processes) and peak memory. Target: under 1.0 s, under 400 MB, at most 4 bytes a sample.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import synthetic_recording

CHILD = """
import json, resource, sys, time
from flamespan.aggregator import Profile, load
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
imported, t0 = peak(), time.perf_counter()
profile = load(sys.argv[1])
t1 = time.perf_counter()
table = profile.functions(quick=True)
t2 = time.perf_counter()
tree = profile.tree()
t3 = time.perf_counter()
quick_mb = peak()
profile.functions()
t4 = time.perf_counter()
assert table["self_ns"].sum() == tree.self_ns.sum() == profile.total_ns
print(json.dumps({"load": t1 - t0, "functions": t2 - t1, "tree": t3 - t2, "total": t3 - t0,
                  "intervals": t4 - t3, "peak_mb": quick_mb, "all_mb": peak(),
                  "imports_mb": imported}))
"""


def main() -> None:
    samples = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**6
    with tempfile.TemporaryDirectory() as folder:
        path, seconds = synthetic_recording.make(Path(folder), samples)
        size = path.stat().st_size
        print(f"{samples} samples: {size / samples:.2f} bytes a sample, "
              f"{seconds / samples * 1e6:.2f} us a sample to write")  # fmt: skip
        command = [sys.executable, "-c", CHILD, str(path)]
        runs = [json.loads(subprocess.check_output(command)) for _ in range(5)]
    for name in ("load", "functions", "tree", "total", "intervals"):
        times = [run[name] for run in runs]
        print(f"{name:10} best {min(times):.3f} s   median {statistics.median(times):.3f} s")
    names = ("peak_mb", "all_mb", "imports_mb")
    peak, every, imports = (max(run[key] for run in runs) for key in names)
    print(f"peak memory {peak:.0f} MB, of which {imports:.0f} MB are imports; {every:.0f} MB with "
          "the functions' intervals and wall_any_ns")  # fmt: skip


if __name__ == "__main__":
    main()
