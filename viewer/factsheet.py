"""What a recording is and how good it is, in words, its troubles marked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flamespan.aggregator.quality import troubles
from flamespan.viewer import words


def info(facts: dict[str, Any]) -> RenderableType:
    """``Profile.info()`` in words, trouble first."""
    parts: list[RenderableType] = [_pairs("In view", _view_facts(facts))]
    for process in facts["processes"]:
        name = process["service"] or os.path.basename(process["program"]) or "process"
        parts += [Text(), _pairs(f"{name} (process {process['pid']})", _process_facts(process))]
        said = dict.fromkeys([*troubles(process), *process["notes"]])
        parts += [Text(f"  ! {words.clean(line)}", "yellow") for line in said]
    return Group(*parts)


def _pairs(title: str, facts: Iterator[tuple[str, str]]) -> Table:
    drawn = Table(
        box=None,
        pad_edge=False,
        show_header=False,
        title=escape(words.clean(title)),
        title_justify="left",
        title_style="bold",
    )
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in facts:
        drawn.add_row(f"  {name}", Text(words.clean(value)))
    return drawn


def _view_facts(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "time", f"{words.duration(facts['total_ns'])} of {facts['clock']} time, threads summed"
    yield "from start to end", words.duration(facts["duration_ns"])
    if facts["excluded_ns"]:
        yield (
            "left out",
            f"{words.duration(facts['excluded_ns'])} in other states (idle, suspended tasks)",
        )
    if facts["unobserved_ns"]:
        yield (
            "unobserved",
            f"{words.duration(facts['unobserved_ns'])} in which nothing can have run",
        )
    for name in ("samples", "threads", "transactions", "spans", "functions", "stacks"):
        yield name, words.grouped(facts[name])
    for name, why in (("torn", "could not be read whole"), ("truncated", "were too deep")):
        if facts[name]:
            yield name, f"{words.counted(facts[name], 'sample')} whose stacks {why}"


def _process_facts(process: dict[str, Any]) -> Iterator[tuple[str, str]]:
    paths = process["paths"]
    yield "files", ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if paths[3:] else "")
    for name in ("program", "host", "environment", "release"):
        if process[name]:
            yield name, str(process[name])
    python, engine = process["python"], process["engine"]
    if python:
        yield (
            "python",
            " ".join(str(python[key]) for key in ("implementation", "version") if key in python),
        )
    if engine:
        reason = f" ({engine['reason']})" if engine.get("reason") else ""
        yield "engine", f"{engine.get('name', 'unknown')}{reason}"
    yield from _span_facts(process)
    yield from _sampling_facts(process)


def _span_facts(process: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if process["mode"] != "continuous":
        slept = words.duration(process["asleep_ns"])
        yield "mode", f"{process['mode']}: slept for {slept} while none was open"
    chosen_by = process["transaction_sampler"] or f"{process['transaction_sample_rate']:g} of them"
    if chosen_by != "1 of them":
        left_out = words.grouped(process["unchosen_transactions"])
        yield "transactions", f"chosen by {chosen_by}, {left_out} left out"
    if process["most_open_spans"]:
        most, dropped = (words.grouped(process[n]) for n in ("most_open_spans", "dropped_spans"))
        yield "spans", f"at most {most} open at once, {dropped} dropped"


def _sampling_facts(process: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "recorded for", words.duration(process["duration_ns"])
    if process["asked_hz"]:
        yield (
            "rate",
            f"{process['achieved_hz']:.1f} passes a second of {process['asked_hz']:.0f} asked",
        )
    if process["passes"]:
        passes, late, missed = (words.grouped(process[n]) for n in ("passes", "late", "missed"))
        yield "passes", f"{passes}, {late} late, {missed} missed"
        torn, skewed, dropped = (
            words.grouped(process[n]) for n in ("torn", "skewed", "dropped_samples")
        )
        yield "samples", f"{torn} torn, {skewed} without a certain span, {dropped} dropped"
        own = process["sampler_cpu_ns"] + process["recorder_cpu_ns"]
        share = words.percent(process["sampler_share"])
        yield "profiler's CPU", f"{words.duration(own)} (sampler: {share} of one core)"
