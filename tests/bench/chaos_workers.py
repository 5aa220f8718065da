"""Workers killed, restarted, recycled and timed out under load, with flamespan and without.

    python tests/bench/chaos_workers.py [--seconds 300] [--only gthread …]

Each server runs twice side by side, one of them by ``flamespan run``; the same happens to both at
the same time. Exit code 1 where one hangs, leaves a process behind, a sample file does not load, or
flamespan's answers fail where the plain one's do not.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from flamespan.aggregator import load

CLIENTS = 3
PATIENCE_S = 60.0
"""No answer, or no end, after this long: it hangs."""

WORKER_TIMEOUT_S = 2

APP = """
import time
from flamespan.profiler.integrations import asgi, wsgi

def work(path):
    sum(range(5000))
    if path == "/slow":
        time.sleep(30)  # the worker is timed out
    time.sleep(0.002)

def answer(environ, start_response):
    work(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

async def answer_async(scope, receive, send):
    if scope["type"] != "http":
        return
    sum(range(5000))
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})

app = wsgi.Middleware(answer, route=lambda environ: environ["PATH_INFO"])
app_async = asgi.Middleware(answer_async, route=lambda scope: scope["path"])
"""

GUNICORN = ("gunicorn", "-w", "2", "--max-requests", "300", "--max-requests-jitter", "100")
GUNICORN += ("--timeout", str(WORKER_TIMEOUT_S), "--graceful-timeout", "2", "--log-level", "error")
SERVERS = {
    "sync": (*GUNICORN, "-k", "sync", "app:app"),
    "gthread": (*GUNICORN, "-k", "gthread", "--threads", "4", "app:app"),
    "gevent": (*GUNICORN, "-k", "gevent", "app:app"),
    "uvicorn worker": (*GUNICORN, "-k", "uvicorn_worker.UvicornWorker", "app:app_async"),
    "preload": (*GUNICORN, "-k", "sync", "--preload", "app:app"),
    "uvicorn": ("uvicorn", "--workers", "2", "--log-level", "error", "app:app_async"),
}
CHAOS = ("kill", "kill", "end", "restart", "slow")


def members(session: int) -> dict[int, str]:
    """Processes of a session and their states ("Z": a zombie), by number."""
    found = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry)
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                found[pid] = fields[0]
    return found


@dataclass
class Server:
    """One server, its clients, and what became of their requests."""

    name: str
    folder: Path
    profiles: Path | None
    answers: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "app.py").write_text(APP)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = list(SERVERS[self.name])
        if command[0] == "gunicorn":
            command += ["-b", f"127.0.0.1:{self.port}"]
        else:
            command += ["--port", str(self.port)]
        how = ["-m", *command]
        if self.profiles is not None:
            how = ["-m", "flamespan.profiler", "run", "-o", str(self.profiles), "-m", *command]
        self._log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, *how],
            cwd=self.folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
        )
        self._over = threading.Event()
        self._wait_until_it_answers()
        self._clients = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for client in self._clients:
            client.start()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while self.get("/") != "200":
            if time.monotonic() > until or self._process.poll() is not None:
                raise SystemExit(f"{self.name} does not answer: {self.log()}")
            time.sleep(0.1)

    def get(self, path: str) -> str:
        """The status of an answer, "broken" without a whole one, "hangs" without any in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return str(answer.status)
        except TimeoutError:
            return "hangs"
        except (OSError, http.client.HTTPException):
            return "broken"
        finally:
            connection.close()

    def _ask(self) -> None:
        while not self._over.is_set():
            said = self.get("/")
            self.answers[said] += 1
            if said != "200":
                time.sleep(0.02)

    def suffer(self, what: str, which: float) -> None:
        """What happens to a worker (``which`` of them, 0 to 1) or to all."""
        master = self._process.pid
        workers = sorted(pid for pid in members(master) if pid != master)
        worker = workers[int(which * len(workers))] if workers else None
        with contextlib.suppress(ProcessLookupError):
            if what == "restart":
                os.kill(master, signal.SIGHUP)
            elif what == "slow":
                threading.Thread(target=self.get, args=("/slow",), daemon=True).start()
            elif worker is not None:
                os.kill(worker, signal.SIGKILL if what == "kill" else signal.SIGTERM)

    def end(self) -> None:
        """No more clients; it must answer still, and end when it is told to, leaving nobody."""
        self._over.set()
        for client in self._clients:
            client.join(2 * PATIENCE_S)
            if client.is_alive():
                self.troubles.append("a client hangs")
        self._wait_until_it_answers()
        zombies = self._lasting_zombies()
        if zombies:
            self.troubles.append(f"zombies: {zombies}")
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.troubles.append("it does not end")
        self._look_for_left_ones()
        if self.answers["hangs"]:
            self.troubles.append(f"{self.answers['hangs']} requests hang")
        self._log.close()

    def _lasting_zombies(self) -> set[int]:
        def now() -> set[int]:
            return {pid for pid, state in members(self._process.pid).items() if state == "Z"}

        found = now()
        until = time.monotonic() + 10
        while found and time.monotonic() < until:
            time.sleep(0.2)
            found &= now()
        return found

    def _look_for_left_ones(self) -> None:
        until = time.monotonic() + 20
        while members(self._process.pid) and time.monotonic() < until:
            time.sleep(0.1)
        left = members(self._process.pid)
        if left:
            self.troubles.append(f"processes that are left: {left}")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process.poll() is None:
            self._process.wait(10)


def run(name: str, seconds: float, folder: Path, chaos: random.Random) -> list[str]:
    """Two servers under the same chaos; what is wrong with flamespan's."""
    profiles = folder / "profiles"
    plain = Server(name, folder / "plain", None)
    ours = Server(name, folder / "ours", profiles)
    acts: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(min(1.0, max(0.2, seconds / 10)))
        what, which = chaos.choice(CHAOS), chaos.random()
        if what == "slow" and "app:app_async" in SERVERS[name]:
            what = "kill"  # nothing times out a loop that goes on
        acts[what] += 1
        for server in (plain, ours):
            server.suffer(what, which)
    time.sleep(WORKER_TIMEOUT_S + 1.5 if acts["slow"] else 0.5)
    plain.end()
    ours.end()
    troubles = [*ours.troubles, *_compared(plain, ours), *_unreadable(profiles)]
    told = ", ".join(f"{what} {count}" for what, count in sorted(acts.items()))
    files = len(list(profiles.glob("*.fspan")))
    print(f"{name:15} {told}")
    print(f"{'':15} plain {dict(plain.answers)} {plain.troubles or ''}")
    print(f"{'':15} ours  {dict(ours.answers)}, {files} files {troubles or 'fine'}")
    if troubles:
        print(ours.log()[-4000:])
    return troubles


def _compared(plain: Server, ours: Server) -> list[str]:
    """Answers of flamespan's that plain's do not explain; what a kill hits is left to chance."""
    found = [
        f"{ours.answers[said]} answers of {said}"
        for said in set(ours.answers) - {"200", "broken"}
        if not plain.answers[said]
    ]
    broken, plain_broken = (s.answers["broken"] / max(1, s.answers.total()) for s in (ours, plain))
    if broken > 3 * plain_broken + 0.02:
        found.append(f"broken: {ours.answers['broken']} of {ours.answers.total()}")
    if ours.answers["200"] < 0.3 * plain.answers["200"]:
        found.append("it answers far less")
    return found


def _unreadable(profiles: Path) -> list[str]:
    found = []
    paths = sorted(profiles.glob("*.fspan"))
    if not paths:
        return ["nothing is recorded"]
    for path in paths:
        try:
            (process,) = load(path).processes
        except Exception as error:  # whatever it is, it is to be told
            found.append(f"{path.name}: {error!r}")
        else:
            if process.loss.blocks or process.loss.skipped_bytes:
                found.append(f"{path.name}: {process.loss}")
    stray = [path.name for path in profiles.iterdir() if path.suffix != ".fspan"]
    if len(stray) > len(paths):
        found.append(f"left in the folder: {stray}")
    load(profiles)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}")
    troubles = []
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            share = options.seconds / len(options.only)
            troubles += run(name, share, Path(folder), random.Random(f"{seed} {name}"))
    sys.exit(1 if troubles else 0)


if __name__ == "__main__":
    main()
