"""Exports: formats by name, and how one lands (whole, or not at all).

One module a format with ``write(profile, file)``. Pictures and pages are drawn by the viewer;
the table names their modules as strings, as it would a plug-in's: nothing here needs the viewer
until somebody asks for one of them.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import warnings
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from flamespan.aggregator.exporting.landing import land
from flamespan.profiler.errors import UsageError

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile


@dataclass(frozen=True, slots=True)
class Format:
    """An export format: the module that writes it, its file suffix, what it is in one line.

    ``leaves_out`` names what it cannot hold (see ``left_out``). A ``timed`` format needs single
    samples: a large recording has to be loaded with ``keep_samples``.
    """

    module: str
    suffix: str
    description: str
    binary: bool = False
    leaves_out: tuple[str, ...] = ()
    timed: bool = False


FORMATS: dict[str, Format] = {
    "collapsed": Format(
        "flamespan.aggregator.exporting.collapsed",
        ".collapsed.txt",
        "folded stacks with nanoseconds, for flamegraph.pl and everything like it",
        leaves_out=("times", "threads", "spans", "running lines", "CPU time"),
    ),
    "speedscope": Format(
        "flamespan.aggregator.exporting.speedscope",
        ".speedscope.json",
        "every thread in time order, for https://www.speedscope.app",
        leaves_out=("spans", "running lines", "CPU time"),
        timed=True,
    ),
    "speedscope-merged": Format(
        "flamespan.aggregator.exporting.merged",
        ".merged.speedscope.json",
        "every thread's distinct stacks, for speedscope and recordings of any length",
        leaves_out=("times", "spans", "running lines", "CPU time"),
    ),
    "speedscope-html": Format(
        "flamespan.viewer.speedscopepage",
        ".speedscope.html",
        "speedscope itself with the profile in it, a single file (needs flamespan-speedscope)",
        leaves_out=("spans", "running lines", "CPU time"),
        timed=True,
    ),
    "pprof": Format(
        "flamespan.aggregator.exporting.pprof",
        ".pb.gz",
        "samples, wall, CPU and waiting time by stack, for go tool pprof and others",
        binary=True,
        leaves_out=("times", "spans"),
    ),
    "firefox": Format(
        "flamespan.aggregator.exporting.firefox",
        ".firefox.json",
        "samples with CPU use and spans as markers, for https://profiler.firefox.com",
        timed=True,
    ),
    "chrome": Format(
        "flamespan.aggregator.exporting.chrome",
        ".trace.json",
        "trace events: stacks and spans in time, for https://ui.perfetto.dev",
        leaves_out=("running lines", "CPU time"),
        timed=True,
    ),
    "sentry": Format(
        "flamespan.aggregator.exporting.sentry",
        ".sentry.json",
        "a profile chunk of Sentry's sample format, version 2",
        leaves_out=("spans", "CPU time"),
        timed=True,
    ),
    "otlp": Format(
        "flamespan.aggregator.exporting.otlp",
        ".otlp.pb",
        "OpenTelemetry profiles (experimental: the format is alpha)",
        binary=True,
        leaves_out=("spans",),
        timed=True,
    ),
    "json": Format(
        "flamespan.aggregator.exporting.json",
        ".json",
        "what the recording is, functions, transactions and the call tree",
        leaves_out=("times", "threads", "running lines", "CPU time"),
    ),
    "csv": Format(
        "flamespan.aggregator.exporting.csv",
        ".csv",
        "the functions table",
        leaves_out=("times", "threads", "spans", "running lines", "CPU time"),
    ),
    "parquet": Format(
        "flamespan.aggregator.exporting.parquet",
        ".parquet",
        "samples by transaction, thread and stack, for DuckDB and pandas (needs pyarrow)",
        binary=True,
        leaves_out=("times", "spans", "running lines"),
    ),
    "svg": Format(
        "flamespan.viewer.svg",
        ".svg",
        "interactive flame graph, a single picture file",
    ),
    "html": Format(
        "flamespan.viewer.html",
        ".html",
        "the page: transactions, spans, flame chart and tables in a single file",
        timed=True,
    ),
}


def named(name: str) -> Format:
    """The format of this name. UsageError, with those there are, where there is none."""
    if name not in FORMATS:
        raise UsageError(f"no export format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def guess(path: str | os.PathLike[str]) -> str | None:
    """Name of the format whose suffix ``path`` ends with, the longest one; None: no such."""
    ending = [name for name in FORMATS if os.fspath(path).endswith(FORMATS[name].suffix)]
    return max(ending, key=lambda name: len(FORMATS[name].suffix), default=None)


def left_out(profile: Profile, format: str) -> list[str]:  # noqa: A002
    """What ``profile`` has and the named format cannot hold: times, threads, spans, lines, CPU."""
    tables, rows = profile.tables, profile.selected
    lines = tables.frame_line != tables.function_line[tables.frame_function]
    has = {
        "times": len(rows) > 0,
        "threads": len(rows) > 0 and bool((rows.thread != rows.thread[0]).any()),
        "spans": bool(profile.span_mask.any()),
        "running lines": bool(lines.any()),
        "CPU time": profile.weight_clock != "cpu" and bool(rows.cpu_ns.any()),
    }
    return [what for what in named(format).leaves_out if has[what]]


def write(profile: Profile, format: str, file: IO[Any], **how: Any) -> None:  # noqa: A002
    """Write ``profile`` to an open file (text, or bytes if the format is binary).

    ``how`` are options of the format's own (``html``: see ``flamespan.viewer.html.write``).

    Warns (UserWarning) once of what the profile has and the format cannot hold.
    """
    lost = left_out(profile, format)
    if lost:
        warn(f"{format} leaves out: {', '.join(lost)} (docs/formats/{format}.md)")
    importlib.import_module(named(format).module).write(profile, file, **how)


def export(
    profile: Profile,
    format: str,  # noqa: A002
    path: str | os.PathLike[str],
    **how: Any,
) -> None:
    """Write ``profile`` to ``path`` in the named format.

    The file lands by rename: when anything fails, what was there before is still there. A path
    that is no regular file (a pipe, /dev/stdout) is written to directly.

    Raises UsageError for an unknown format or a path that cannot be written.
    """
    binary = named(format).binary
    land(path, lambda file: write(profile, format, file, **how), binary=binary)


def title(profile: Profile) -> str:
    """What to call the recording: its services or programs, or the names of its files."""
    names = []
    for process in profile.processes:
        said = process.header.service or os.path.basename(process.header.program)
        names += [said] if said else [os.path.basename(path) for path in process.paths]
    distinct = sorted(set(names))
    shown = ", ".join(distinct[:3]) + (f" and {len(distinct) - 3} more" if distinct[3:] else "")
    return shown or "recording"


def version() -> str:
    """The installed flamespan's version ("unknown" when it runs from a bare folder)."""
    try:
        return importlib.metadata.version("flamespan")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def warn(message: str) -> None:
    """Say once what a format cannot hold or will not do well with this profile."""
    warnings.warn(message, UserWarning, stacklevel=3)
