"""The stacks of a process as text, each with its span and transaction, as of a moment ago.

They come from the last pass of the sample file, where stack and span were read together, and
suspended tasks are told, too. What Python itself tells steps in where nothing was sampled.
"""

from __future__ import annotations

from typing import Any

from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.model import NO_SPAN, Recording, Samples, SpanStart, State
from flamespan.profiler.samplefile import SampleReader

FRESH_NS = 3_000_000_000


def render(answer: dict[str, Any]) -> str:
    """The text of what a process answered to ``dump``."""
    recording = _read(answer.get("path"))
    if recording is not None:
        found = _last_pass(recording, answer["monotonic_ns"])
        if found:
            return "\n".join(found)
    why = "no recording runs" if answer.get("path") is None else "nothing was sampled just now"
    parts = [f"# {why}: stacks without their transactions"]
    for thread in answer["threads"]:
        parts.append(f'\nThread "{thread["name"]}" ({thread["ident"]})')
        parts += [f"    {f['name']} ({f['file']}:{f['line']})" for f in reversed(thread["frames"])]
    return "\n".join(parts)


def _read(path: str | None) -> Recording | None:
    try:
        return None if path is None else SampleReader(path).read()
    except SampleFileError:
        return None


def _last_pass(recording: Recording, now_ns: int) -> list[str]:
    """Lines for each sample of the last pass; none if that was long ago."""
    samples = next((s for s in reversed(recording.samples) if len(s)), None)
    if samples is None:
        return []
    last_ns = (samples.start_ticks + sum(samples.pass_ticks)) * samples.tick_ns
    if now_ns - last_ns > FRESH_NS:
        return []
    counts = list(samples.pass_samples)
    while counts and not counts[-1]:
        counts.pop()
    spans = {start.id: start for start in recording.spans.started}
    lines: list[str] = []
    for row in range(len(samples) - counts[-1], len(samples)):
        lines += _one(recording, samples, row, spans)
    return lines[1:]


def _one(
    recording: Recording, samples: Samples, row: int, spans: dict[int, SpanStart]
) -> list[str]:
    tables = recording.tables
    thread = tables.threads.get(samples.thread[row])
    name = thread.name if thread else "?"
    state = State(samples.state[row])
    head = f'Thread "{name}" {state.name.lower().replace("_", " ")}'
    if state in (State.AWAITING, State.LOOP_WAIT):
        head = f'Task of thread "{name}" {state.name.lower().replace("_", " ")}'
    lines = ["", head, *_transaction(samples.span[row], spans)]
    for frame in reversed(tables.stacks.frames(samples.stack[row])):
        function = tables.functions[tables.frame_function[frame]]
        lines.append(f"    {function.name} ({function.file}:{tables.frame_line[frame]})")
    return lines


def _transaction(span: int, spans: dict[int, SpanStart]) -> list[str]:
    """The transaction and the spans in it down to ``span``."""
    chain: list[SpanStart] = []
    while span != NO_SPAN and span in spans and len(chain) < 100:
        chain.append(spans[span])
        span = spans[span].parent
    if not chain:
        return []
    inner = [f"{s.op} {s.description}".rstrip() for s in reversed(chain[:-1])]
    return ["  " + " > ".join([f"transaction {chain[-1].name}", *inner])]
