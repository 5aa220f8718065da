"""A small recording with something of everything: threads, idle time, transactions, recursion."""

from __future__ import annotations

from flamespan.profiler.model import SpanEnd, SpanMeasurement, SpanStart, SpanTag
from helpers.drawn import Drawing

MS = 1_000_000
SYSTEM = {"run": "system", "execute": "system", "sort": "system"}


def shop() -> Drawing:
    """Two requests and a worker thread that starts late; 400 ms in all, a pass each 10 ms.

    GET /cart (100-200 ms): 30 ms of its own, a query of 50 ms, 20 ms rendering.
    GET /slow (200-380 ms): no spans; recursion, then a sort.
    """
    d = Drawing(SYSTEM, tick_ns=1)
    d.thread(0, "MainThread")
    d.thread(1, "worker-1")
    open_span(d, 1, 0, 100, "GET /cart", "http.server")
    open_span(d, 2, 1, 130, "", "db.query", "select * from cart where name = 'a;b <c>'")
    d.spans.tags.append(SpanTag(1, "user", "42"))
    d.spans.measurements.append(SpanMeasurement(1, "rows", 3.0, ""))
    d.spans.ended += [close_span(2, 180), close_span(1, 200)]
    open_span(d, 3, 0, 200, "GET /slow", "http.server")
    d.spans.ended.append(close_span(3, 380, "error"))
    for now in range(10, 410, 10):
        _pass(d, now)
    return d


def _pass(d: Drawing, now: int) -> None:
    if now <= 100 or now > 380:
        d.add_pass(10 * MS, [(0, "main;run;accept")], state="idle")
        return
    main, span = _main(now)
    busy = now > 300  # the worker is seen from here on
    seen = [(0, main), (1, "run;work;sort")] if busy else [(0, main)]
    d.add_pass(10 * MS, seen, span=span, cpu=6 * MS)
    if busy:
        d.samples.span[-1] = 0


def _main(now: int) -> tuple[str, int]:
    if now <= 130:
        return "main;run;cart:12", 1
    if now <= 180:
        return "main;run;cart:14;load_items:30;execute", 2
    if now <= 200:
        return "main;run;cart:15;render", 1
    if now <= 290:
        return "main;run;slow;walk:3;walk:4;walk:4", 3
    return "main;run;slow;sort", 3


def open_span(d, number, parent, start, name, op, description=""):
    start_ns = start * MS
    d.spans.started.append(SpanStart(number, parent, 100, name, op, description, start_ns))


def close_span(number, end, status="ok"):
    return SpanEnd(number, end * MS, status)
