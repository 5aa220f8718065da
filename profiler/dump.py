"""The stacks of a process as text, each with its span and transaction, as of a moment ago.

They come from the last pass of the sample file, where stack and span were read together. asyncio's
tasks are those that Python tells of, with a transaction or without; the names of their spans are
the file's. What Python itself tells steps in where nothing was sampled.
"""

from __future__ import annotations

from typing import Any

from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.model import NO_SPAN, Recording, Samples, SpanStart, State
from flamespan.profiler.samplefile import SampleReader

FRESH_NS = 3_000_000_000
MAX_SHOWN = 50
"""So many kinds of tasks are shown; the rest is counted."""

SUSPENDED = (State.AWAITING, State.LOOP_WAIT)


def render(answer: dict[str, Any]) -> str:
    """The text of what a process answered to ``dump``."""
    recording = _read(answer.get("path"))
    spans = {start.id: start for start in recording.spans.started} if recording else {}
    tasks, whose = _tasks(answer["tasks"], spans)
    found = _last_pass(recording, answer["monotonic_ns"], spans, whose) if recording else []
    return "\n".join([*(found or _threads(answer)), *tasks])


def _threads(answer: dict[str, Any]) -> list[str]:
    """The threads as Python tells them."""
    why = "no recording runs" if answer.get("path") is None else "nothing was sampled just now"
    lines = [f"# {why}: stacks without their transactions"]
    for thread in answer["threads"]:
        lines += ["", f'Thread "{thread["name"]}" ({thread["ident"]})', *_places(thread["frames"])]
    return lines


def _places(frames: list[dict[str, Any]]) -> list[str]:
    return [f"    {f['name']} ({f['file']}:{f['line']})" for f in reversed(frames)]


def _tasks(answer: dict[str, Any], spans: dict[int, SpanStart]) -> tuple[list[str], set[int]]:
    """Lines for asyncio's tasks, alike ones once; and the transactions that they are part of."""
    alike: dict[tuple[str, ...], list[str]] = {}
    whose: set[int] = set()
    for task in sorted(answer["told"], key=lambda task: str(task["name"])):
        chain = _chain(task["span"], spans)
        whose.update(start.id for start in chain[-1:])
        rest = [*_transaction(chain), *_places(task["frames"])]
        name, waits_for = task["name"], task["waits_for"]
        rest.insert(0, f'  waits for task "{waits_for}"' if waits_for else "")
        alike.setdefault(tuple(filter(None, rest)), []).append(name)
    lines: list[str] = []
    left = answer["count"]
    for told, names in sorted(alike.items(), key=lambda item: -len(item[1]))[:MAX_SHOWN]:
        several = f" and {len(names) - 1} more like it" if len(names) > 1 else ""
        lines += ["", f'Task "{names[0]}"{several}', *told]
        left -= len(names)
    if left:
        lines += ["", f"and {left} more tasks"]
    return lines, whose


def _read(path: str | None) -> Recording | None:
    try:
        return None if path is None else SampleReader(path).read()
    except SampleFileError:
        return None


def _last_pass(
    recording: Recording, now_ns: int, spans: dict[int, SpanStart], told: set[int]
) -> list[str]:
    """Lines for each sample of the last pass; none if that was long ago.

    Suspended tasks of the transactions ``told`` are left out: asyncio tells all of theirs.
    """
    samples = next((s for s in reversed(recording.samples) if len(s)), None)
    if samples is None:
        return []
    last_ns = (samples.start_ticks + sum(samples.pass_ticks)) * samples.tick_ns
    if now_ns - last_ns > FRESH_NS:
        return []
    counts = list(samples.pass_samples)
    while counts and not counts[-1]:
        counts.pop()
    lines: list[str] = []
    for row in range(len(samples) - counts[-1], len(samples)):
        chain = _chain(samples.span[row], spans)
        if samples.state[row] not in SUSPENDED or not chain or chain[-1].id not in told:
            lines += _one(recording, samples, row, chain)
    return lines[1:]


def _one(recording: Recording, samples: Samples, row: int, chain: list[SpanStart]) -> list[str]:
    tables = recording.tables
    thread = tables.threads.get(samples.thread[row])
    name = thread.name if thread else "?"
    state = State(samples.state[row])
    who = "Task of thread" if state in SUSPENDED else "Thread"
    lines = ["", f'{who} "{name}" {state.name.lower().replace("_", " ")}', *_transaction(chain)]
    for frame in reversed(tables.stacks.frames(samples.stack[row])):
        function = tables.functions[tables.frame_function[frame]]
        lines.append(f"    {function.name} ({function.file}:{tables.frame_line[frame]})")
    return lines


def _chain(span: int, spans: dict[int, SpanStart]) -> list[SpanStart]:
    """The span, and those around it up to the transaction."""
    chain: list[SpanStart] = []
    while span != NO_SPAN and span in spans and len(chain) < 100:
        chain.append(spans[span])
        span = spans[span].parent
    return chain


def _transaction(chain: list[SpanStart]) -> list[str]:
    """The transaction and the spans in it."""
    if not chain:
        return []
    inner = [f"{s.op} {s.description}".rstrip() for s in reversed(chain[:-1])]
    return ["  " + " > ".join([f"transaction {chain[-1].name}", *inner])]
