"""What other programs take for the picture or the tree of the same samples.

``bench_aggregate.py`` runs this. speedscope comes from npm and runs in Chromium, flamegraph.pl is
the one in Debian's libdevel-nytprof-perl, pyinstrument gets a virtual environment of its own; one
that cannot be had is left out with the reason.
"""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import venv
from pathlib import Path
from urllib.parse import quote

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
    for peer, measured in (
        ("flamegraph.pl", lambda: flamegraph(stacks, folder)),
        ("speedscope", lambda: speedscope(path, folder)),
        ("pyinstrument", lambda: pyinstrument(stacks, folder)),
    ):
        try:
            measured()
        except (OSError, ImportError, subprocess.CalledProcessError) as error:
            print(f"  {peer}: not measured ({error})", flush=True)


def flamegraph(stacks: Path, folder: Path) -> None:
    """Seconds that flamegraph.pl takes to draw the stacks."""
    script = flamegraph_script(folder)
    began = time.perf_counter()
    with open(folder / "peer.svg", "w") as out:
        subprocess.check_call(["perl", script, stacks], stdout=out, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    print(f"  flamegraph.pl on {count(stacks)} stacks: {seconds:.2f} s", flush=True)


def flamegraph_script(folder: Path) -> Path:
    """FOLDER/flamegraph.pl, the one on the PATH, or the one in Debian's Devel::NYTProf."""
    script, installed = folder / "flamegraph.pl", shutil.which("flamegraph.pl")
    if script.exists() or installed:
        return script if script.exists() else Path(installed or "")
    fetched = folder / "nytprof"
    fetched.mkdir(exist_ok=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.check_call(["apt-get", "download", "libdevel-nytprof-perl"], cwd=fetched, **quiet)
    (package,) = fetched.glob("*.deb")
    subprocess.check_call(["dpkg-deb", "-x", package, fetched])
    shutil.copy(next(fetched.rglob("flamegraph.pl")), script)
    return script


def pyinstrument(stacks: Path, folder: Path) -> None:
    """Seconds that pyinstrument takes to make a tree of the stacks and print it."""
    home = folder / "pyinstrument"
    if not home.exists():
        venv.create(home, with_pip=True)
        subprocess.check_call([home / "bin/pip", "install", "-q", "pyinstrument"])
    command = [home / "bin/python", "-c", PYINSTRUMENT, stacks]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()[-1:] if not done.returncode else [done.stderr[-300:]]
    print(f"  pyinstrument (records, seconds): {' '.join(said)}", flush=True)


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
