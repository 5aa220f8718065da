"""Recordings in which transactions wait: asyncio tasks of one loop, and threads after the GIL."""

from __future__ import annotations

from flamespan.profiler.model import SpanEnd, SpanStart
from helpers.drawn import Drawing, Seen

MS = 1_000_000


def open_span(drawing: Drawing, number: int, parent: int, begin: int, end: int, name: str) -> None:
    """A transaction, or with a parent a span, from ``begin`` to ``end`` ms in thread 0."""
    texts = ("", name, f"{name} it") if parent else (name, "http.server", "")
    drawing.spans.started.append(SpanStart(number, parent, 100, *texts, begin * MS))
    drawing.spans.ended.append(SpanEnd(number, end * MS, "ok"))


def tasks() -> Drawing:
    """Two requests served by one event loop at the same time; a pass each 10 ms, 100 ms in all.

    GET /a (10-90 ms) runs for 10 ms, awaits its query (span db) for 50 ms, of which it could go on
    for the last 10 ms, then runs for 20 ms. GET /b (20-100 ms) awaits a socket for 60 ms (one
    merged row), waits for its loop for 10 ms, then runs.
    """
    drawing = Drawing({"run_forever": "system", "select": "system", "recv": "system"}, tick_ns=1)
    drawing.thread(0, "MainThread")
    open_span(drawing, 1, 0, 10, 90, "GET /a")
    open_span(drawing, 2, 1, 20, 70, "db")
    open_span(drawing, 3, 0, 20, 100, "GET /b")
    loop = "main;run_forever"
    idle = Seen(0, f"{loop};select", "idle")
    query = "serve;handle_a;query;recv"

    def run(stack: str, span: int) -> Seen:
        return Seen(0, f"{loop};{stack}", span=span, cpu=8 * MS)

    def awaits(stack: str, span: int, state: str = "awaiting", wall: int = 10) -> Seen:
        return Seen(0, stack, state, span, wall * MS)

    for seen in [
        [idle],
        [run("handle_a", 1)],
        [idle, awaits(query, 2)],
        [idle, awaits(query, 2)],
        [idle, awaits(query, 2)],
        [run("housekeeping", 0), awaits(query, 2)],
        [run("housekeeping", 0), awaits(query, 2, "loop_wait")],
        [run("handle_a;render", 1), awaits("serve;handle_b;read;recv", 3, wall=60)],
        [run("handle_a;render", 1), awaits("serve;handle_b;read;recv", 3, "loop_wait")],
        [run("handle_b", 3)],
    ]:
        drawing.add_rows(10 * MS, seen)
    return drawing


def gil() -> Drawing:
    """A hog, a victim in a transaction and one outside; a pass each 10 ms, 60 ms in all.

    hog holds the GIL for 40 ms, in which both wait; for the 10 ms after that nobody is seen with
    it, then victim_b has it. victim_a's rows are merged into one of 60 ms, in the span that is open
    at its end: GET /victim from 20 ms on, template in it from 40 ms on.
    """
    drawing = Drawing({"sorted": "system"}, tick_ns=1)
    for index, name in enumerate(["hog", "victim-a", "victim-b"]):
        drawing.thread(index, name)
    open_span(drawing, 1, 0, 20, 60, "GET /victim")
    open_span(drawing, 2, 1, 40, 60, "template")
    hog = Seen(0, "work;sort_all;sorted", cpu=10 * MS, holds=True)
    for number in range(6):
        b = Seen(2, "work;victim_b", "gil_wait")
        if number == 5:
            b = Seen(2, "work;victim_b", cpu=9 * MS, holds=True)
        first = hog if number < 4 else Seen(0, "work;rest", "idle")
        seen = [first, b]
        if number == 5:
            seen.append(Seen(1, "work;victim_a", "gil_wait", 2, 60 * MS))
        drawing.add_rows(10 * MS, seen)
    return drawing
