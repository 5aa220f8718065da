"""Command-line options that choose what to look at, and the Profile they choose."""

from __future__ import annotations

import argparse
import re
from typing import Any

from flamespan.aggregator.loading import load
from flamespan.aggregator.profile import CLOCKS, RECURSION, Profile
from flamespan.profiler.errors import UsageError

_UNITS_NS = {
    "ns": 1,
    "us": 1e3,
    "µs": 1e3,
    "ms": 1e6,
    "s": 1e9,
    "m": 60e9,
    "min": 60e9,
    "h": 3600e9,
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zµ]*)\s*\Z")


def add_options(parser: argparse.ArgumentParser, *, sides: bool = False) -> None:
    """Where to read from (one or more paths, or two ``sides``), and every filter and view."""
    if sides:
        parser.add_argument("base", metavar="BASE", help="the recording before: file, folder, glob")
        parser.add_argument("new", metavar="NEW", help="the recording after")
    else:
        parser.add_argument(
            "paths",
            nargs="+",
            metavar="PATH",
            help="sample files, folders or globs; foreign profiles",
        )
    parser.add_argument(
        "--unit",
        metavar="TIME",
        help="what one count of a foreign profile stands for: 10ms for py-spy at 100 Hz",
    )
    parser.add_argument(
        "--include", metavar="GLOB", action="append", default=[],
        help="modules or paths whose functions are application code; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--exclude", metavar="GLOB", action="append", default=[],
        help="modules or paths whose functions are library code; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--keep-samples",
        action="store_true",
        help="keep every sample of a large recording whether it is needed or not",
    )
    _add_filters(parser.add_argument_group("what to look at"))
    _add_views(parser.add_argument_group("how to look at it"))


def _add_filters(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--transaction", metavar="NAME", help="a transaction: name, glob or #ID")
    group.add_argument("--span", metavar="OP", help="spans of this op or description (or glob)")
    group.add_argument(
        "--tag", metavar="KEY[=VALUE]", action="append", default=[], help="what has this tag"
    )
    group.add_argument("--thread", metavar="NAME", help="threads of this name or glob")
    group.add_argument("--process", metavar="PID", type=int, help="one of several processes")
    group.add_argument(
        "--between",
        metavar="T0..T1",
        help="a stretch of time from the recording's start: 1.5s..3s, 200ms.., ..1m",
    )
    group.add_argument(
        "--states",
        "--state",
        metavar="STATES",
        help="comma-separated: running, gil_wait, idle, gc, awaiting, loop_wait, unknown",
    )
    group.add_argument("--all-states", action="store_true", help="idle threads too")
    group.add_argument("--containing", metavar="NAME", help="stacks that hold this function")
    inside = group.add_mutually_exclusive_group()
    inside.add_argument(
        "--in-transactions", action="store_true", help="only what belongs to a transaction"
    )
    inside.add_argument(
        "--outside-transactions", action="store_true", help="only what belongs to none"
    )


def _add_views(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--clock", metavar="|".join(CLOCKS), default="wall", help="what to sum")
    group.add_argument(
        "--focus", metavar="NAME", help="stacks from this function on, without its callers"
    )
    group.add_argument(
        "--hide",
        metavar="WHAT",
        action="append",
        default=[],
        help="a function, module, file, glob or regex: its time goes to its callers",
    )
    side = group.add_mutually_exclusive_group()
    side.add_argument(
        "--application", "--app", action="store_true", help="your code: system time to its callers"
    )
    side.add_argument("--system", action="store_true", help="libraries, stdlib and runtime only")
    group.add_argument(
        "--recursion", metavar="|".join(RECURSION), help="fold a;a;a (direct), a;b;a too (cycles)"
    )


def add_page_options(group: argparse._ArgumentGroup) -> None:
    """How the page opens code, and whether it holds source text."""
    group.add_argument(
        "--repository",
        metavar="URL",
        help="where the page opens code: https://github.com/me/app/blob/{release}/{path}#L{line} "
        "(also {version}, {commit}, {file})",
    )
    group.add_argument(
        "--editor",
        metavar="URL",
        help="how it opens an editor (vscode://file/{file}:{line}; '': no link)",
    )
    group.add_argument("--no-source", action="store_true", help="no source text in the page")


def page_options(args: argparse.Namespace) -> dict[str, Any]:
    """What was asked of the page, by the names of the viewer's ``Links``; defaults left out."""
    asked: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("repository", "editor")
        if getattr(args, name) is not None
    }
    return {**asked, "sources": False} if args.no_source else asked


def chosen(args: argparse.Namespace) -> Profile:
    """Load what ``args`` name and apply their filters and views. Raises FlamespanError."""
    unit_ns = None if args.unit is None else max(int(duration_ns(args.unit)), 1)
    profile = load(
        *args.paths,
        unit_ns=unit_ns,
        keep_samples=args.keep_samples or args.between is not None or None,
        application=args.include,
        library=args.exclude,
    )
    return _viewed(_filtered(profile, args), args)


def _filtered(profile: Profile, args: argparse.Namespace) -> Profile:
    if args.process is not None:
        profile = profile.process(args.process)
    if args.between is not None:
        profile = profile.between(*_window(profile, args.between))
    if args.in_transactions:
        profile = profile.in_transactions()
    if args.outside_transactions:
        profile = profile.outside_transactions()
    if args.transaction is not None:
        profile = profile.transaction(args.transaction)
    if args.span is not None:
        profile = profile.span(args.span)
    for tag in args.tag:
        key, separator, value = tag.partition("=")
        profile = profile.tag(key, value if separator else None)
    if args.thread is not None:
        profile = profile.thread(args.thread)
    if args.states is not None:
        profile = profile.states(*(name.strip() for name in args.states.split(",")))
    return profile.all_states() if args.all_states else profile


def _viewed(profile: Profile, args: argparse.Namespace) -> Profile:
    profile = profile.clock(args.clock)
    if args.containing is not None:
        profile = profile.containing(args.containing)
    if args.focus is not None:
        profile = profile.focus(args.focus)
    for what in args.hide:
        profile = profile.hide(what)
    if args.application:
        profile = profile.application_frames()
    if args.system:
        profile = profile.system_frames()
    return profile.collapse_recursion(args.recursion) if args.recursion else profile


def origin_ns(profile: Profile) -> int:
    """When the recording began (unix time): what the times of ``--between`` count from."""
    return min((process.first_ns for process in profile.processes), default=0)


def _window(profile: Profile, text: str) -> tuple[int, int]:
    first, separator, last = text.partition("..")
    if not separator:
        raise UsageError(f"--between {text!r}: write two times with .. between them, as 1.5s..3s")
    origin = origin_ns(profile)
    end = max((process.last_ns for process in profile.processes), default=0)
    begin = origin + int(duration_ns(first)) if first.strip() else origin
    until = origin + int(duration_ns(last)) if last.strip() else max(end, origin)
    if begin > until:
        ends, starts = ((time - origin) / 1e9 for time in (until, begin))
        raise UsageError(
            f"--between {text!r}: a window that ends ({ends:g}s) before it starts ({starts:g}s)"
        )
    return begin, until


def duration_ns(text: str) -> float:
    """``1.5s``, ``200ms``, ``2m`` or a number of seconds, as nanoseconds. UsageError else."""
    match = _DURATION.match(text)
    if not match or (match[2] or "s") not in _UNITS_NS:
        units = ", ".join(unit for unit in _UNITS_NS if unit.isascii())
        raise UsageError(f"{text!r} is no duration: write a number and one of {units}")
    return float(match[1]) * _UNITS_NS[match[2] or "s"]


def pattern(text: str, option: str) -> re.Pattern[str]:
    """A user's regular expression. UsageError says where it is wrong."""
    try:
        return re.compile(text)
    except re.error as error:
        place = "" if error.pos is None else f" at position {error.pos}"
        raise UsageError(
            f"{option} {text!r} is no regular expression: {error.msg}{place}"
        ) from None
