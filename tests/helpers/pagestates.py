"""Recordings that a page must stand: empty, one sample, very deep, very many, any script."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from flamespan.aggregator import Profile, load
from flamespan.profiler.model import Header, SpanEnd, SpanStart
from helpers import waits, webapp
from helpers.drawn import EPOCH_NS, PATHS, Drawing

MS = 1_000_000
DEPTH, THREADS = 4000, 500
HOSTILE = "<img src=x onerror=alert(1)>"
NAMES = (
    "обработать_запрос",
    "处理请求", "リクエストを処理する", "요청_처리", "معالجة_الطلب", "טיפול_בבקשה",
    "अनुरोध_संसाधित_करें", "ประมวลผลคำขอ", "επεξεργασία", "հարցում", "მოთხოვნა", "ጥያቄ", "வேண்டுகோள்",
    "👩‍👩‍👧‍👦🚀🔥",
    "e\u0301́́́tude", "a\u202egnp.exe", "\ud83d", HOSTILE, "\"';--&amp;</script>", "x" * 400,
    "tab\tand\nline", "ﷺ" * 30,
)  # fmt: skip


def loaded(drawing: Drawing, **more: object) -> Profile:
    """The drawing as recorded at 100 Hz."""
    told = {"session_id": "drawn", "pid": 7, "interval_ns": 10 * MS, "paths": PATHS} | more
    with tempfile.TemporaryDirectory() as folder:
        header = Header(start_wall_ns=EPOCH_NS, **told)  # type: ignore[arg-type]
        return load(drawing.write(Path(folder) / "drawn.fspan", header))


def empty() -> Profile:
    """A recording that was stopped before its first sample."""
    return loaded(Drawing())


def one_sample() -> Profile:
    drawing = Drawing()
    drawing.add_pass(10 * MS, [(0, "main;work")])
    return loaded(drawing)


def no_transactions() -> Profile:
    drawing = Drawing({"wait": "system"})
    for i in range(200):
        stack, state = (f"main;load;step_{i % 7}", "running") if i % 3 else ("main;wait", "idle")
        drawing.add_pass(10 * MS, [(0, stack)], state=state)
    return loaded(drawing)


def no_spans() -> Profile:
    """Transactions, of which none has a span in it; the last one was never closed."""
    drawing = Drawing()
    for number in range(1, 5):
        begin = drawing.now
        drawing.spans.started.append(
            SpanStart(number, 0, 100, f"job {number % 2}", "task", "", begin)
        )
        for i in range(10 * number):
            drawing.add_pass(10 * MS, [(0, f"main;job;part_{i % 3}")], span=number)
        if number < 4:
            drawing.spans.ended.append(SpanEnd(number, drawing.now, "ok"))
    return loaded(drawing)


def unseen_transaction() -> Profile:
    """A transaction so short that no sample fell into it."""
    drawing = Drawing()
    drawing.thread(0, "MainThread")
    drawing.add_pass(10 * MS, [(0, "main")])
    drawing.spans.started.append(SpanStart(1, 0, 100, "GET /quick", "http.server", "", 2 * MS))
    drawing.spans.ended.append(SpanEnd(1, 3 * MS, "ok"))
    return loaded(drawing)


def deep() -> Profile:
    """A stack of 4 000 different functions, and one that calls itself 4 000 times."""
    drawing = Drawing()
    drawing.add_pass(10 * MS, [(0, ";".join(f"level_{i}" for i in range(DEPTH)))])
    drawing.add_pass(10 * MS, [(0, "main;" + ";".join(["fib"] * DEPTH))])
    return loaded(drawing)


def many_threads() -> Profile:
    drawing = Drawing()
    for thread in range(THREADS):
        drawing.thread(thread, f"a-pool-with-a-long-name_worker-{thread}")
    for i in range(12):
        seen = [(t, f"run;worker;task_{(i + t) % 5};leaf") for t in range(THREADS)]
        drawing.add_pass(10 * MS, seen)
    return loaded(drawing)


def any_script() -> Profile:
    """Function, span, transaction and thread names in many scripts, and such as break a page."""
    drawing = Drawing()
    for thread, name in enumerate(NAMES):
        drawing.thread(thread, name)
    threads = range(len(NAMES))
    for number, name in enumerate(NAMES, 1):
        begin = drawing.now
        drawing.spans.started += [
            SpanStart(2 * number - 1, 0, 99 + number, name, name[:40], "", begin),
            SpanStart(2 * number, 2 * number - 1, 99 + number, "", name[:40], name, begin + MS),
        ]
        for i in threads:
            other = NAMES[(number + i) % len(NAMES)]
            stack = ";".join(
                part.replace(";", " ").replace(":", " ") for part in (name, other, name)
            )
            drawing.add_pass(10 * MS, [(number - 1, stack)], span=2 * number)
        end = drawing.now
        drawing.spans.ended += [SpanEnd(2 * number, end, "ok"), SpanEnd(2 * number - 1, end, "ok")]
    return loaded(drawing)


def web_app() -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        return load(webapp.write(Path(folder) / "webapp.fspan"))


def torn() -> Profile:
    """A file that ends within its last block: a process was killed in a write."""
    with tempfile.TemporaryDirectory() as folder:
        path = webapp.write(Path(folder) / "torn.fspan")
        path.write_bytes(path.read_bytes()[:-5])
        return load(path)


def half(which: int) -> Profile:
    """The first (0) or second half of the web app's time."""
    whole = profile("web app")
    times = whole.rows.time_ns
    first, last = int(times.min()) - 1, int(times.max()) + 1
    middle = (first + last) // 2
    return whole.between(middle, last) if which else whole.between(first, middle)


@functools.cache
def profile(name: str) -> Profile:
    """A recording of ``RECORDINGS`` by name, built once."""
    return RECORDINGS[name]()


RECORDINGS = {
    "web app": web_app,
    "tasks": lambda: loaded(waits.tasks()),
    "empty": empty,
    "one sample": one_sample,
    "no transactions": no_transactions,
    "no spans": no_spans,
    "unseen transaction": unseen_transaction,
    "deep": deep,
    "many threads": many_threads,
    "any script": any_script,
    "torn": torn,
    "first half": lambda: half(0),
    "second half": lambda: half(1),
}
