"""The profilers: started around a program, told of its transactions, asked what they saw.

Each is a context manager that gives a ``Tool``. They are imported when they are used: none is a
dependency, and importing one must not change what another one measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from attribution import flamespan_file, marks
from attribution.seen import Seen
from attribution.tracer import Tracer


class Absent(Exception):
    """The profiler cannot be used here; says why."""


class Flamespan(Tracer):
    def transaction(self, number: int) -> AbstractContextManager[object]:
        from flamespan import profiler

        return profiler.transaction(str(number))

    def span(self, description: str) -> AbstractContextManager[object]:
        from flamespan import profiler

        return profiler.span("part", description)


@contextmanager
def flamespan(rate: float, folder: str, seen: Seen, *, engine: str) -> Iterator[Tracer]:
    from flamespan import profiler
    from flamespan.profiler.errors import UsageError

    try:
        # No limit: what is measured is whose the samples are, not what they cost.
        recording = profiler.start(folder, rate, engine=engine, budget=0)
    except UsageError as error:
        raise Absent(str(error)) from None
    try:
        yield Flamespan()
    finally:
        recording.stop()
    for path in Path(folder).glob("*.fspan"):
        flamespan_file.read(path, seen)


class Sentry(Tracer):
    @contextmanager
    def transaction(self, number: int) -> Iterator[object]:
        import sentry_sdk

        with (
            sentry_sdk.isolation_scope(),
            sentry_sdk.start_transaction(op="task", name=str(number)) as transaction,
        ):
            yield transaction

    def span(self, description: str) -> AbstractContextManager[object]:
        import sentry_sdk

        return sentry_sdk.start_span(op="part", name=description)


@contextmanager
def sentry(rate: float, folder: str, seen: Seen) -> Iterator[Tracer]:
    """Its profiler of transactions; a profile's samples are those of its active thread."""
    try:
        import sentry_sdk
        from sentry_sdk.profiler import transaction_profiler
        from sentry_sdk.transport import Transport
    except ImportError:
        raise Absent("not installed: pip install sentry-sdk") from None
    transaction_profiler.DEFAULT_SAMPLING_FREQUENCY = rate  # fixed at 101 Hz otherwise
    seen.nobodys = None

    class Keep(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                if item.type == "profile":
                    _read_sentry(item.payload.json, seen)

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=Keep,
        traces_sample_rate=1.0,
        profiles_sample_rate=1.0,
        default_integrations=False,
    )
    yield Sentry()
    transaction_profiler.teardown_profiler()


def _read_sentry(payload: dict[str, Any], seen: Seen) -> None:
    (transaction,) = payload["transactions"]
    profile = payload["profile"]
    for sample in profile["samples"]:
        if sample["thread_id"] != transaction["active_thread_id"]:
            continue
        frames = profile["stacks"][sample["stack_id"]]
        mark = marks.read(profile["frames"][frame]["function"] for frame in frames)
        if mark is not None:
            seen.add(mark, int(transaction["name"]))


class Pyinstrument(Tracer):
    """A profiler for each transaction, as its documentation has it for web requests."""

    def __init__(self, rate: float, seen: Seen) -> None:
        self._rate = rate
        self._seen = seen

    @contextmanager
    def transaction(self, number: int) -> Iterator[object]:
        from pyinstrument import Profiler

        profiler = Profiler(interval=1 / self._rate, async_mode="enabled")
        profiler.start()
        try:
            yield profiler
        finally:
            session = profiler.stop()
        for frames, _ in session.frame_records:
            # A frame is "function\0file\0line\1attributes".
            mark = marks.read(frame.split("\0")[0] for frame in reversed(frames))
            if mark is not None:
                self._seen.add(mark, number)


@contextmanager
def pyinstrument(rate: float, folder: str, seen: Seen) -> Iterator[Tracer]:
    try:
        import pyinstrument  # noqa: F401
    except ImportError:
        raise Absent("not installed: pip install pyinstrument") from None
    seen.nobodys = None
    yield Pyinstrument(rate, seen)


Start = Callable[[float, str, Seen], AbstractContextManager[Tracer]]
TOOLS: dict[str, Start] = {
    "flamespan native": partial(flamespan, engine="native"),
    "flamespan python": partial(flamespan, engine="python"),
    "sentry-sdk": sentry,
    "pyinstrument": pyinstrument,
}
