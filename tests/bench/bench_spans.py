"""Many spans: what they cost in memory, time and bytes, and that their number is bounded.

    python tests/bench/bench_spans.py [--spans 1000000] [--seconds 60] [--open 10000] [--mode MODE]

- open: transactions open at once in one thread, then closed: memory, time of each
- many: a million spans in a minute, each around some work: memory, file size, drops, and how much
  slower the work is than without a recording (the same loop before and after)
- flood: spans as fast as they go, beyond ``max_spans_per_s``: memory stays, drops are counted

What one span costs alone: ``bench_engine.py --spans``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from flamespan import profiler
from flamespan.profiler.model import Recording
from flamespan.profiler.samplefile import SampleReader


def rss_mib() -> float:
    """Resident memory of this process (Linux)."""
    fields = Path("/proc/self/status").read_text("ascii").split("VmRSS:")[1]
    return int(fields.split()[0]) / 1024


def written(path: Path) -> tuple[Recording, int]:
    """The recording in all parts of ``path``, and their size in bytes."""
    parts = sorted(path.parent.glob("*.fspan"))
    whole = SampleReader(parts[0]).read()
    for part in parts[1:]:
        more = SampleReader(part).read()
        whole.spans.add(more.spans)
        whole.stats = more.stats
    return whole, sum(part.stat().st_size for part in parts)


def report(name: str, path: Path, before: float, during: float) -> None:
    """Print what became of the spans."""
    recorded, size = written(path)
    started = len({s.id for s in recorded.spans.started})
    stats = recorded.stats
    print(
        f"{name:<6} RSS {before:.0f} MiB before, {during:.0f} MiB during; "
        f"{started} spans recorded, {stats.dropped_spans} dropped, "
        f"at most {stats.most_open_spans} open; "
        f"file {size / 1e6:.2f} MB, {size / max(1, started):.1f} bytes a span; "
        f"recorder {stats.recorder_cpu_ns / 1e9:.2f} s of CPU"
    )


def many_open(count: int, mode: str) -> None:
    """Open ``count`` transactions at once."""
    with tempfile.TemporaryDirectory() as folder:
        before = rss_mib()
        running = profiler.start(folder, mode=mode)
        scopes = [profiler.transaction("job", str(i)) for i in range(count)]
        began = time.perf_counter()
        for scope in scopes:
            scope.__enter__()
        entered = time.perf_counter()
        time.sleep(2.5)
        during = rss_mib()
        slept = time.perf_counter()
        for scope in reversed(scopes):
            scope.__exit__(None, None, None)
        ended = time.perf_counter()
        profiler.stop()
        path = running.path
        assert path is not None
        report("open", path, before, during)
        print(
            f"       {(entered - began) / count * 1e6:.2f} µs to enter, "
            f"{(ended - slept) / count * 1e6:.2f} µs to leave each of {count}"
        )


def work(rounds: int) -> int:
    """About a microsecond for every 25 rounds."""
    total = 0
    for i in range(rounds):
        total += i
    return total


def rounds_for(seconds: float) -> int:
    """How many rounds of ``work`` take ``seconds``."""
    began = time.perf_counter()
    work(2_000_000)
    return max(1, round(2_000_000 * seconds / (time.perf_counter() - began)))


def loop(count: int, rounds: int) -> tuple[float, float]:
    """Seconds that ``count`` spans with work in each take, and CPU seconds of this thread."""
    began, cpu_began = time.perf_counter(), time.thread_time()
    done = 0
    while done < count:
        with profiler.transaction("request", "http"):
            for _ in range(9):
                with profiler.span("db.query", "select 1"):
                    work(rounds)
        done += 10
    return time.perf_counter() - began, time.thread_time() - cpu_began


def many(count: int, seconds: float, mode: str) -> None:
    """Record ``count`` spans in about ``seconds``."""
    rounds = rounds_for(seconds / count)
    with tempfile.TemporaryDirectory() as folder:
        part = max(10, count // 12)
        without = loop(part, rounds)
        before = rss_mib()
        running = profiler.start(folder, mode=mode)
        took = loop(count, rounds)
        resident = rss_mib()
        profiler.stop()
        after = loop(part, rounds)
        path = running.path
        assert path is not None
        report("many", path, before, resident)
        share = 2 * part / count
        times = zip(took, without, after, strict=True)
        wall, cpu = (share * during / (first + last) for during, first, last in times)
        print(
            f"       {count} spans in {took[0]:.1f} s, {wall:.3f} times as long as without; "
            f"CPU of the thread {cpu:.3f} times"
        )


def flood(seconds: float, mode: str) -> None:
    """Spans as fast as they go."""
    with tempfile.TemporaryDirectory() as folder:
        before = rss_mib()
        running = profiler.start(folder, mode=mode)
        until, done = time.perf_counter() + seconds, 0
        most = before
        while time.perf_counter() < until:
            loop(10_000, 0)
            done += 10_000
            most = max(most, rss_mib())
        profiler.stop()
        path = running.path
        assert path is not None
        report("flood", path, before, most)
        print(f"       {done / seconds:.0f} a second were opened")


def main() -> None:
    """Run all three."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--open", type=int, default=10_000)
    parser.add_argument("--mode", default="continuous")
    given = parser.parse_args()
    many_open(given.open, given.mode)
    many(given.spans, given.seconds, given.mode)
    flood(min(10.0, given.seconds), given.mode)


if __name__ == "__main__":
    main()
