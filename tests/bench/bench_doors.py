"""What the doors cost: requests a second and latency of hello-world apps, with and without.

    python tests/bench/bench_doors.py [--rounds 12] [--requests 400]

FastAPI on uvicorn and Flask on gunicorn (gthread), one process each and variant, all up at once;
the load goes round them in turn over kept connections, and each round gives a ratio to the plain
app of that round. Shown are the medians of these ratios. Sentry (tracing and profiling), ddtrace
(tracing and profiling) and pyinstrument (a profile per request) where they are installed.
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

    def close(self) -> None:
        for wire in self._wire:
            wire.close()
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def measure(kind: str, options: argparse.Namespace, folder: Path) -> None:
    rounds, requests = options.rounds, options.requests
    variants = [
        name
        for name, (module, *_) in VARIANTS.items()
        if not module or (name in options.beside and importlib.util.find_spec(module))
    ]
    servers: dict[str, Server] = {}
    rates: dict[str, list[float]] = {name: [] for name in variants}
    tails: dict[str, list[float]] = {name: [] for name in variants}
    try:
        for name in variants:
            servers[name] = Server(kind, name, folder / f"{kind}-{name}")
            servers[name].ask(requests)  # warm
        for _ in range(rounds):
            for name in random.sample(variants, len(variants)):
                began = time.perf_counter()
                took = servers[name].ask(requests)
                rates[name].append(len(took) / (time.perf_counter() - began))
                tails[name].append(statistics.quantiles(took, n=100)[98])
    finally:
        for server in servers.values():
            server.close()
    for name in variants:
        print(f"{kind:8} {name:13} {_line(rates, tails, name)}")


def _line(rates: dict[str, list[float]], tails: dict[str, list[float]], name: str) -> str:
    def ratio(of: dict[str, list[float]]) -> float:
        return statistics.median(a / b for a, b in zip(of[name], of["plain"], strict=True))

    return (
        f"{statistics.median(rates[name]):7.0f} requests/s  ×{ratio(rates):.3f}   "
        f"p99 {statistics.median(tails[name]) * 1e3:6.2f} ms  ×{ratio(tails):.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--only", choices=["fastapi", "flask"])
    others = [name for name in VARIANTS if name != "plain"]
    parser.add_argument("--beside", nargs="+", choices=others, default=others)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind in [options.only] if options.only else ["fastapi", "flask"]:
            measure(kind, options, Path(folder))


if __name__ == "__main__":
    main()
