"""From sample files of 10^6, 10^7 and 10^8 samples to the answers; exports; peers on the same data.

    python tests/bench/bench_aggregate.py [--sizes 1e6,1e7,1e8] [--data FOLDER] [--peers]

For each size: bytes a sample, then seconds (imports excluded, best and median of fresh processes)
and peak memory of load, function table, tree and per-transaction table. Then how time grows with
size, exports of 10^6 samples, and with ``--peers`` what speedscope (npm, Chromium), flamegraph.pl
(downloaded for the run, or FOLDER/flamegraph.pl) and pyinstrument (in a virtual environment of
its own) take for the same samples. FOLDER keeps the data between runs. Targets on two cores: 0.5
s, 2.5 s, 25 s; under 1.2 GB at 10^8; 1 s an export.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
import venv
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))

import repeated_recording
import synthetic_recording

CHILD = """
import json, resource, sys, time
from flamespan.aggregator import load
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
imported, t0, c0 = peak(), time.perf_counter(), time.process_time()
profile = load(sys.argv[1])
t1 = time.perf_counter()
table = profile.functions(quick=True)
t2 = time.perf_counter()
tree = profile.tree()
t3 = time.perf_counter()
transactions = profile.transactions()
t4 = time.perf_counter()
quick_mb = peak()
profile.functions()
t5 = time.perf_counter()
assert table["self_ns"].sum() == tree.self_ns.sum() == profile.total_ns
assert profile.info()["samples"] == int(sys.argv[2]), profile.info()["samples"]
print(json.dumps({"load": t1 - t0, "functions": t2 - t1, "tree": t3 - t2, "transactions": t4 - t3,
                  "total": t4 - t0, "intervals": t5 - t4, "cpu": time.process_time() - c0,
                  "peak_mb": quick_mb, "all_mb": peak(), "imports_mb": imported}))
"""
EXPORTS = """
import json, os, sys, time, warnings
from flamespan.aggregator import exporting, load
warnings.simplefilter("ignore")
found = {}
for name in ("collapsed", "speedscope-merged", "speedscope", "pprof", "csv", "json", "parquet",
             "svg", "html", "firefox", "sentry", "otlp"):
    profile = load(sys.argv[1])
    path = os.path.join(sys.argv[2], "out" + exporting.FORMATS[name].suffix)
    began = time.perf_counter()
    exporting.export(profile, name, path)
    found[name] = time.perf_counter() - began, os.path.getsize(path)
print(json.dumps(found))
"""
FLAMEGRAPH = "https://raw.githubusercontent.com/brendangregg/FlameGraph/master/flamegraph.pl"
PYINSTRUMENT = """
import sys, time
from pyinstrument.frame_ops import build_frame_tree
from pyinstrument.renderers import ConsoleRenderer
from pyinstrument.session import Session
records = []
for line in open(sys.argv[1]):
    stack, _, weight = line.rpartition(" ")
    frames = [f"{frame.partition(' ')[0]}\\0/app.py\\x001" for frame in stack.split(";")]
    records.append((frames, int(weight) / 1e9))
began = time.perf_counter()
session = Session(frame_records=records, start_time=0, duration=1, min_interval=0.01,
                  max_interval=0.01, sample_count=len(records), start_call_stack=records[0][0],
                  target_description="", cpu_time=1, sys_path=[], sys_prefixes=[])
ConsoleRenderer().render(session)
print(len(records), time.perf_counter() - began)
"""


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
    for name in ("load", "functions", "tree", "transactions", "total", "intervals", "cpu"):
        values = [run[name] for run in runs]
        print(f"  {name:13} best {min(values):7.3f} s   median {statistics.median(values):7.3f} s")
    names = ("peak_mb", "all_mb", "imports_mb")
    peak, every, imports = (max(run[key] for run in runs) for key in names)
    print(f"  peak memory {peak:.0f} MB, of which {imports:.0f} MB are imports; {every:.0f} MB "
          "with the functions' intervals", flush=True)  # fmt: skip
    return {key: min(run[key] for run in runs) for key in ("total", "cpu")}


def fit(found: dict[int, float]) -> None:
    """Least squares of log(seconds) over log(samples): an exponent of 1 is linear growth."""
    import numpy as np

    sizes, seconds = np.log(list(found)), np.log(list(found.values()))
    exponent, _ = np.polyfit(sizes, seconds, 1)
    print(f"growth: seconds ~ samples ^ {exponent:.2f}")


def exports(path: Path, folder: Path) -> None:
    print(f"exports of {path.name}:")
    command = [sys.executable, "-c", EXPORTS, str(path), str(folder)]
    for name, (seconds, size) in json.loads(subprocess.check_output(command)).items():
        print(f"  {name:18} {seconds:6.2f} s {size / 1e6:8.1f} MB", flush=True)


def peers(path: Path, folder: Path) -> None:
    """What others take for the picture or the tree of the same samples, from collapsed stacks."""
    stacks = folder / "stacks.txt"
    flamespan = Path(sys.executable).with_name("flamespan")
    subprocess.check_call([flamespan, "export", path, "-f", "collapsed", "-o", stacks],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    began = time.perf_counter()
    subprocess.check_call([flamespan, "export", path, "-f", "svg", "-o", folder / "x.svg"],
                          stdout=subprocess.DEVNULL)  # fmt: skip
    print(f"peers: flamespan export -f svg, imports and all: {time.perf_counter() - began:.2f} s")
    script = folder / "flamegraph.pl"
    try:
        if not script.exists():
            urllib.request.urlretrieve(FLAMEGRAPH, script)
        began = time.perf_counter()
        with open(folder / "peer.svg", "w") as out:
            subprocess.check_call([shutil.which("perl") or "perl", script, stacks], stdout=out)
        print(f"  flamegraph.pl on {count(stacks)} stacks: {time.perf_counter() - began:.2f} s")
    except OSError as error:
        print(f"  flamegraph.pl: not measured ({error})")
    try:
        speedscope(path, folder)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"  speedscope: not measured ({error})")
    home = folder / "pyinstrument"
    if not home.exists():
        venv.create(home, with_pip=True)
        subprocess.check_call([home / "bin/pip", "install", "-q", "pyinstrument"])
    done = subprocess.run([home / "bin/python", "-c", PYINSTRUMENT, stacks], capture_output=True,
                          text=True, check=False)  # fmt: skip
    print(f"  pyinstrument (records, seconds): {done.stdout or done.stderr[-300:]}")


def speedscope(path: Path, folder: Path) -> None:
    """Seconds from opening speedscope with the time-ordered file until it shows a thread."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from helpers.chromium import page_of

    site = folder / "speedscope"
    if not site.exists():
        site.mkdir()
        fetch = ["npm", "pack", "speedscope@1.25.0", "--silent", "--pack-destination", str(folder)]
        subprocess.check_call(fetch, stdout=subprocess.DEVNULL)
        (packed,) = folder.glob("speedscope-*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(site, filter="data")
    flamespan, release = Path(sys.executable).with_name("flamespan"), site / "package/dist/release"
    for name in ("speedscope", "speedscope-merged"):
        out = release / f"{name}.json"
        began = time.perf_counter()
        subprocess.check_call([flamespan, "export", path, "-f", name, "-o", out],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        wrote = time.perf_counter() - began
        handler = functools.partial(_Quiet, directory=str(release))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_address[1]}"
            began = time.perf_counter()
            url = f"{address}/index.html#profileURL={quote(f'{address}/{out.name}', safe='')}"
            with page_of(url) as page:
                page.get_by_text(re.compile(r"\(\d+/\d+\)")).wait_for(timeout=120_000)
                seconds = time.perf_counter() - began
            server.shutdown()
        size = out.stat().st_size / 1e6
        print(f"  {name}: {wrote:.2f} s to write {size:.0f} MB (imports and all), "
              f"{seconds:.2f} s for speedscope (Chromium, software WebGL) to show it")  # fmt: skip


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args) -> None:
        pass


def count(path: Path) -> int:
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="1e6,1e7,1e8")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--prepare", action="store_true", help="only make the data")
    parser.add_argument("--peers", action="store_true")
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
        if args.peers:
            peers(paths[sizes[0]], folder)


if __name__ == "__main__":
    main()
