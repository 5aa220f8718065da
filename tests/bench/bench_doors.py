"""What the doors cost: requests a second and latency of hello-world apps, with and without.

    python tests/bench/bench_doors.py [--starts 4] [--rounds 6] [--requests 400]

FastAPI on uvicorn and Flask on gunicorn (gthread), one process each and variant, all up at once;
the load goes round them in turn over kept connections, and each round gives a ratio to the plain
app of that round: of requests a second, of the 99th percentile, and of the CPU time of the server
(all its threads; Linux). One process is up to 3 % faster than the next of the same code, so all
are started anew several times: shown are the means of the medians of each start, and the lowest and
highest of these. "plain again" is the plain app once more: so far do such ratios go by chance.
Sentry (tracing and profiling), ddtrace (tracing and profiling) and pyinstrument (a profile per
request) where they are installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 4

FASTAPI = """
from fastapi import FastAPI
app = FastAPI()
@app.get("/hello/{name}")
async def hello(name: str):
    return {"hello": name}
"""
FLASK = """
from flask import Flask
app = Flask(__name__)
@app.get("/hello/<name>")
def hello(name):
    return {"hello": name}
"""
SENTRY = """
import sentry_sdk
from sentry_sdk.transport import Transport
class Nowhere(Transport):
    def capture_envelope(self, envelope): pass
sentry_sdk.init(dsn="https://key@o1.ingest.sentry.io/1", transport=Nowhere, release="1",
                traces_sample_rate=1.0, profiles_sample_rate=1.0)
"""
VARIANTS = {  # name: (module that must be there, before the app, after FastAPI's, after Flask's)
    "plain": ("", "", "", ""),
    "plain again": ("", "", "", ""),
    "flamespan": (
        "flamespan",
        "from flamespan import profiler\nprofiler.start('profiles')\n",
        "from flamespan.profiler.integrations import starlette\nstarlette.instrument(app)\n",
        "from flamespan.profiler.integrations import flask\nflask.instrument(app)\n",
    ),
    "sentry": ("sentry_sdk", SENTRY, "", ""),
    "ddtrace": ("ddtrace", "import ddtrace.auto\nimport ddtrace.profiling.auto\n", "", ""),
    "pyinstrument": (
        "pyinstrument",
        "from pyinstrument import Profiler\n",
        """
@app.middleware("http")
async def profiled(request, call_next):
    with Profiler(interval=0.01, async_mode="enabled"):
        return await call_next(request)
""",
        """
from flask import g
@app.before_request
def begin():
    g.profiler = Profiler(interval=0.01)
    g.profiler.start()
@app.after_request
def end(response):
    g.profiler.stop()
    return response
""",
    ),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One app on its server, and the connections to it."""

    def __init__(self, kind: str, variant: str, folder: Path) -> None:
        _, before, after_fastapi, after_flask = VARIANTS[variant]
        body, after = (FASTAPI, after_fastapi) if kind == "fastapi" else (FLASK, after_flask)
        folder.mkdir()
        (folder / "app.py").write_text(before + body + after)
        port = free_port()
        command = {
            "fastapi": ["uvicorn", "app:app", "--port", str(port), "--no-access-log"],
            "flask": ["gunicorn", "app:app", "-b", f"127.0.0.1:{port}", "-k", "gthread"],
        }[kind]
        command += {
            "fastapi": ["--timeout-keep-alive", "600"],
            "flask": ["--threads", str(CONNECTIONS), "--keep-alive", "600"],
        }[kind]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "DD_TRACE_STARTUP_LOGS": "0"},
        )
        self._wire = [self._connect(port) for _ in range(CONNECTIONS)]

    def _connect(self, port: int) -> socket.socket:
        until = time.monotonic() + 60
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError):
                made = socket.create_connection(("127.0.0.1", port), 60)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return made
            time.sleep(0.05)
        raise SystemExit(f"the server did not come up: {Path(self._log.name).read_text()}")

    def ask(self, requests: int) -> list[float]:
        """Seconds that each request took, with one under way on every connection."""
        took = []
        for _ in range(requests // CONNECTIONS):
            began = time.perf_counter()
            for wire in self._wire:
                wire.sendall(b"GET /hello/ann HTTP/1.1\r\nHost: x\r\n\r\n")
            for wire in self._wire:
                answer = wire.recv(65536)
                while b'"}' not in answer and b'"\n}' not in answer:
                    more = wire.recv(65536)
                    assert more, answer
                    answer += more
                assert answer.startswith(b"HTTP/1.1 200"), answer
                took.append(time.perf_counter() - began)
        return took

    def cpu_ns(self) -> int:
        """CPU time of the server so far, in ns (first number of schedstat); 0: unknown."""
        pid = self._process.pid
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
            return sum(
                int((thread / "schedstat").read_text("ascii").split()[0])
                for process in (str(pid), *children)
                for thread in Path("/proc", process, "task").iterdir()
            )
        return 0

    def close(self) -> None:
        for wire in self._wire:
            wire.close()
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


@dataclass
class Turn:
    """What one variant did in one round."""

    rate: float
    p99_s: float
    cpu_ns: float  # of a request

    @classmethod
    def of(cls, server: Server, requests: int) -> Turn:
        """Ask it that often."""
        cpu_ns, began = server.cpu_ns(), time.perf_counter()
        took = server.ask(requests)
        rate = len(took) / (time.perf_counter() - began)
        p99_s = statistics.quantiles(took, n=100)[98]
        return cls(rate, p99_s, (server.cpu_ns() - cpu_ns) / len(took))


Turns = dict[str, list[Turn]]
"""By variant, in the order of the rounds."""


def one_start(kind: str, variants: list[str], options: argparse.Namespace, folder: Path) -> Turns:
    """All variants started once, and asked in turn."""
    servers: dict[str, Server] = {}
    turns: Turns = {name: [] for name in variants}
    try:
        for name in variants:
            servers[name] = Server(kind, name, folder / f"{kind}-{name.replace(' ', '-')}")
            servers[name].ask(options.requests)  # warm
        for _ in range(options.rounds):
            for name in random.sample(variants, len(variants)):
                turns[name].append(Turn.of(servers[name], options.requests))
    finally:
        for server in servers.values():
            server.close()
    return turns


def measure(kind: str, options: argparse.Namespace) -> None:
    variants = [
        name
        for name, (module, *_) in VARIANTS.items()
        if not module or (name in options.beside and importlib.util.find_spec(module))
    ]
    starts = []
    for _ in range(options.starts):
        with tempfile.TemporaryDirectory() as folder:
            starts.append(one_start(kind, variants, options, Path(folder)))
    for name in variants:
        print(f"{kind:8} {name:13} {_line(starts, name)}", flush=True)


def _line(starts: list[Turns], name: str) -> str:
    def ratio(field: str) -> str:
        medians = [
            statistics.median(
                getattr(mine, field) / (getattr(plain, field) or 1)
                for mine, plain in zip(turns[name], turns["plain"], strict=True)
            )
            for turns in starts
        ]
        return f"×{statistics.mean(medians):.3f} ({min(medians):.3f}-{max(medians):.3f})"

    def median(field: str) -> float:
        return statistics.median(getattr(t, field) for turns in starts for t in turns[name])

    return (
        f"{median('rate'):6.0f} requests/s {ratio('rate')}  "
        f"p99 {median('p99_s') * 1e3:5.2f} ms {ratio('p99_s')}  "
        f"CPU {median('cpu_ns') / 1e3:4.0f} µs {ratio('cpu_ns')}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6, help="of each start")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--only", choices=["fastapi", "flask"])
    others = [name for name, (module, *_) in VARIANTS.items() if module]
    parser.add_argument("--beside", nargs="+", choices=others, default=others)
    options = parser.parse_args()
    for kind in [options.only] if options.only else ["fastapi", "flask"]:
        measure(kind, options)


if __name__ == "__main__":
    main()
