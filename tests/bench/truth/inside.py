"""Profilers that live in the process they watch: started, stopped and read there.

Each is a context manager around the program that fills a ``Seen`` when the program is over.
Profilers are imported when they are used: none of them is a dependency, and importing one must
not change what another one measures.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from truth.seen import Seen


class Absent(Exception):
    """The profiler cannot be used here; says why."""


class Failed(Absent):
    """It could be used, but this time something went wrong."""


@contextmanager
def flamespan(rate: float, folder: str, seen: Seen, *, engine: str) -> Iterator[None]:
    from flamespan import profiler
    from flamespan.profiler.errors import UsageError

    try:
        recording = profiler.Profiler(folder, rate, engine=engine)
        recording.start()
    except UsageError as error:
        raise Absent(str(error)) from None
    try:
        yield
    finally:
        recording.stop()
    for path in Path(folder).glob("*.fspan"):
        _read_flamespan(path, seen)


def _read_flamespan(path: Path, seen: Seen) -> None:
    """Book every row of the main thread; a parked thread's row may stand for many passes."""
    from flamespan.profiler.samplefile import SampleReader

    recording = SampleReader(path).read()
    tables = recording.tables
    before, passes, total = seen.wall.total(), 0, 0
    for samples in recording.samples:
        passes += len(samples.pass_ticks)
        row = 0
        for number, count in enumerate(samples.pass_samples):
            charged = samples.pass_ticks[number] - samples.pass_unobserved[number]
            for i in range(row, row + count):
                if tables.threads[samples.thread[i]].is_main:
                    frames = reversed(tables.stacks.frames(samples.stack[i]))
                    names = (tables.functions[tables.frame_function[f]].name for f in frames)
                    wall = charged + samples.wall_extra[i]
                    seen.add(names, wall=wall, cpu=samples.cpu_ticks[i])
                    total += wall
            row += count
    # Rows tell no number of passes, but those that belong to the program are its part of the time.
    seen.samples += round(passes * (seen.wall.total() - before) / max(1, total))


@contextmanager
def pyinstrument(rate: float, folder: str, seen: Seen) -> Iterator[None]:
    try:
        from pyinstrument import Profiler
    except ImportError:
        raise Absent("not installed: pip install pyinstrument") from None
    profiler = Profiler(interval=1 / rate)
    profiler.start()
    yield
    session = profiler.stop()
    for frames, seconds in session.frame_records:
        # A frame is "function\0file\0line\1attributes".
        seen.add((frame.split("\0")[0] for frame in reversed(frames)), wall=seconds, samples=1)


@contextmanager
def sentry(rate: float, folder: str, seen: Seen) -> Iterator[None]:
    """The continuous profiler; its server gives a sample the time until the next one."""
    try:
        import sentry_sdk
        from sentry_sdk.profiler import start_profiler, stop_profiler
        from sentry_sdk.transport import Transport
    except ImportError:
        raise Absent("not installed: pip install sentry-sdk") from None
    chunks: list[dict[str, Any]] = []

    class Keep(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            chunks.extend(i.payload.json for i in envelope.items if i.type == "profile_chunk")

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=Keep,
        profile_session_sample_rate=1.0,
        profile_lifecycle="manual",
    )
    start_profiler()
    yield
    stop_profiler()
    me = str(threading.get_ident())
    for profile in (chunk["profile"] for chunk in chunks):
        mine = [sample for sample in profile["samples"] if sample["thread_id"] == me]
        for this, after in pairwise(mine):
            frames = profile["stacks"][this["stack_id"]]
            lasted = after["timestamp"] - this["timestamp"]
            names = (profile["frames"][frame]["function"] for frame in frames)
            seen.add(names, wall=lasted, samples=1)


_DDTRACE_SETTINGS = {
    "DD_TRACE_ENABLED": "0",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "0",
    "DD_PROFILING_MEMORY_ENABLED": "0",
    "DD_PROFILING_LOCK_ENABLED": "0",
    "DD_PROFILING_EXCEPTION_ENABLED": "0",
    "_DD_PROFILING_STACK_ADAPTIVE_SAMPLING_ENABLED": "0",
}
"""The stack sampler alone, at the asked rate: adaptive sampling would choose its own."""


@contextmanager
def ddtrace(rate: float, folder: str, seen: Seen) -> Iterator[None]:
    from truth import pprof

    os.environ.update(_DDTRACE_SETTINGS, DD_PROFILING_OUTPUT_PPROF=str(Path(folder, "out")))
    try:
        import zstandard  # noqa: F401 - the reader will want it, say so before the run
        from ddtrace.internal.datadog.profiling import stack
        from ddtrace.profiling import Profiler
    except ImportError:
        raise Absent("not installed: pip install ddtrace zstandard") from None
    profiler = Profiler()
    profiler.start()
    stack.set_interval(1 / rate)
    yield
    profiler.stop()
    files = list(Path(folder).glob("*.pprof"))
    if not files:
        raise Absent("wrote no pprof file: DD_PROFILING_OUTPUT_PPROF is not for this version")
    for path in files:
        for sample in pprof.read(path):
            if sample.labels.get("thread name") == "MainThread":
                values = sample.values
                seen.add(
                    (name.rpartition(".")[2] for name in sample.leaf_first),
                    wall=values["wall-time"],
                    cpu=values["cpu-time"],
                    samples=values["wall-samples"],
                )


Start = Callable[[float, str, Seen], AbstractContextManager[None]]
TOOLS: dict[str, Start] = {
    "flamespan python": partial(flamespan, engine="python"),
    "flamespan native": partial(flamespan, engine="native"),
    "sentry-sdk": sentry,
    "pyinstrument": pyinstrument,
    "ddtrace": ddtrace,
}
