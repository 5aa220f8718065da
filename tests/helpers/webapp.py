"""A drawn web app: two worker threads and a background thread, with spans, gaps and recursion.

Deterministic. Each thread lives through a list of stretches (a stack, a state, a span); passes
about every 10 ms look at all of them, now and then one comes late.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from flamespan.profiler.model import (
    Flag,
    Header,
    SpanEnd,
    SpanMeasurement,
    SpanStart,
    SpanTag,
    State,
)
from helpers.drawn import EPOCH_NS, PATHS, Drawing

MS = 1_000_000
SYSTEM = (
    "Thread.run _bootstrap WSGIServer.serve Flask.wsgi_app dispatch_request Cursor.execute "
    "json.dumps JSONEncoder.iterencode Template.render Lock.acquire socket.recv Queue.get"
)
ROOT = "_bootstrap;Thread.run;WSGIServer.serve;Flask.wsgi_app;dispatch_request"


@dataclass
class Worker:
    """One thread's life: where it is at what time (ns), and the spans it opens."""

    index: int
    drawing: Drawing
    now: int = 0
    stretches: list[tuple[int, int, str, State, int]] = field(default_factory=list)
    open: list[int] = field(default_factory=list)

    def run(self, ms: float, stack: str, state: State = State.RUNNING) -> None:
        until = self.now + int(ms * MS)
        span = self.open[-1] if self.open else 0
        self.stretches.append((self.now, until, stack, state, span))
        self.now = until

    def start(self, op: str, text: str = "") -> int:
        span = len(self.drawing.spans.started) + 1
        parent = self.open[-1] if self.open else 0
        name, description = ("", text) if parent else (text, "")
        self.drawing.spans.started.append(
            SpanStart(span, parent, 100 + self.index, name, op, description, self.now)
        )
        self.open.append(span)
        return span

    def end(self, status: str = "ok") -> None:
        self.drawing.spans.ended.append(SpanEnd(self.open.pop(), self.now, status))

    def at(self, time: int) -> tuple[str, State, int]:
        for begin, until, stack, state, span in self.stretches:
            if begin < time <= until:
                return stack, state, span
        return "_bootstrap;Thread.run;Queue.get", State.IDLE, 0


def cart(worker: Worker, rng: random.Random, items: int) -> None:
    span = worker.start("http.server", "GET /cart")
    worker.drawing.spans.tags.append(SpanTag(span, "user.kind", "guest"))
    worker.drawing.spans.measurements += [
        SpanMeasurement(span, "items", items, ""),
        SpanMeasurement(span, "response.size", 18_450 + items, "byte"),
    ]
    worker.run(3, f"{ROOT};cart_view;load_session")
    worker.start("db.query", "select id, user from cart where user = ?")
    worker.run(9, f"{ROOT};cart_view;load_cart;Cursor.execute", State.IDLE)
    worker.end()
    for _ in range(items):
        worker.start("db.query", "select price from product where id = ?")
        worker.run(rng.uniform(2, 7), f"{ROOT};cart_view;load_cart;load_item;Cursor.execute")
        worker.end()
        worker.run(1, f"{ROOT};cart_view;load_cart;load_item")
    depth = ";".join(["discount"] * 6)
    worker.run(130, f"{ROOT};cart_view;total_price;{depth}")
    worker.run(40, f"{ROOT};cart_view;total_price;apply_rule;match_rule;apply_rule")
    worker.start("template.render", "cart.html")
    worker.run(32, f"{ROOT};cart_view;Template.render;format_money")
    worker.end()
    worker.end()


def report(worker: Worker, rng: random.Random) -> None:
    worker.start("http.server", "GET /report")
    worker.start("db.query", "select * from orders")
    worker.run(60, f"{ROOT};report_view;load_orders;Cursor.execute", State.IDLE)
    worker.end()
    worker.run(rng.uniform(60, 140), f"{ROOT};report_view;sort_orders;sort_key")
    worker.start("serialize", "orders as JSON")
    worker.run(
        rng.uniform(100, 180), f"{ROOT};report_view;json.dumps;JSONEncoder.iterencode;encode_order"
    )
    worker.end()
    worker.end("error" if rng.random() < 0.25 else "ok")


def health(worker: Worker) -> None:
    worker.start("http.server", "GET /health")
    worker.run(4, f"{ROOT};health_view")
    worker.end()


def build(seed: int = 7, requests: int = 12) -> Drawing:
    """The drawing; ``requests`` are what each worker serves."""
    rng = random.Random(seed)
    drawing = Drawing(dict.fromkeys(SYSTEM.split(), "system"))
    for index, name in enumerate(["MainThread", "worker-1", "worker-2", "mailer"]):
        drawing.thread(index, name)
    workers = [Worker(index, drawing) for index in (1, 2)]
    for worker in workers:
        for _ in range(requests):
            rng.choice(
                [
                    lambda w=worker: cart(w, rng, rng.randint(3, 9)),
                    lambda w=worker: report(w, rng),
                    lambda w=worker: health(w),
                ]
            )()
            worker.now += int(rng.uniform(5, 60) * MS)
    mailer = Worker(3, drawing)
    while mailer.now < max(worker.now for worker in workers):
        mailer.run(rng.uniform(50, 300), "_bootstrap;Thread.run;Queue.get", State.IDLE)
        mailer.run(rng.uniform(5, 40), "_bootstrap;Thread.run;send_mail;render_mail")
    _look(drawing, [*workers, mailer], rng)
    return drawing


def _look(drawing: Drawing, workers: list[Worker], rng: random.Random) -> None:
    samples, end = drawing.samples, max(worker.now for worker in workers)
    while drawing.now < end:
        late = rng.random() < 0.01
        wall = int(rng.uniform(25, 45) * MS) if late else int(rng.uniform(9.6, 10.4) * MS)
        drawing.now += wall
        samples.pass_ticks.append(wall)
        samples.pass_samples.append(len(workers) + 1)
        samples.pass_unobserved.append(0)
        samples.pass_missed.append(round(wall / (10 * MS)) - 1 if late else 0)
        main = ("<module>;main;serve_forever;socket.recv", State.IDLE, 0)
        for index, (stack, state, span) in [(0, main)] + [
            (w.index, w.at(drawing.now)) for w in workers
        ]:
            samples.thread.append(index)
            samples.stack.append(drawing.stack(stack))
            samples.span.append(span)
            samples.wall_extra.append(0)
            busy = state == State.RUNNING
            samples.cpu_ticks.append(
                int(wall * rng.uniform(0.8, 1)) if busy else rng.choice([0, 0, 20_000])
            )
            samples.state.append(state)
            samples.flags.append(Flag.LATE if late else 0)


def header(**more: object) -> Header:
    told = {
        "session_id": "drawn",
        "pid": 4242,
        "host": "web-1.example",
        "service": "shop",
        "environment": "staging",
        "release": "shop@2.4.1",
        "program": "shop.server",
        "start_wall_ns": EPOCH_NS,
        "interval_ns": 10 * MS,
        "paths": PATHS,
        "flamespan": "0.1.0",
        "engine": {"name": "python", "reason": "no native engine in this build"},
        "python": {"implementation": "CPython", "version": "3.12.3"},
        "os": {"name": "Linux", "version": "6.1.0"},
        "device": {
            "manufacturer": "Example",
            "model": "Box 3",
            "cores": 4,
            "memory_bytes": 16 << 30,
        },
    }
    return Header(**{**told, **more})  # type: ignore[arg-type]


def write(path: Path) -> Path:
    """The recording as a sample file."""
    return build().write(path, header())
