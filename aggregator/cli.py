"""``flamespan report | diff | tree | export | info``: questions asked on the command line.

Machines get CSV and JSON from here. What people read is drawn by the viewer's terminal module,
found by its name like an export format: the aggregator itself never needs the viewer.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import re
import sys
import warnings
from typing import Any, TextIO

import pandas as pd

from flamespan.aggregator import alignment, comparison, difftree, exporting, options, questions
from flamespan.aggregator.exporting import landing
from flamespan.aggregator.exporting.json import plain, records
from flamespan.aggregator.profile import Profile
from flamespan.aggregator.quality import process_info, troubles
from flamespan.profiler.errors import UsageError

_TERMINAL = "flamespan.viewer.terminal"
_DIFF_TABLE = "flamespan.viewer.difftable"
_DIFF_SVG = "flamespan.viewer.diffsvg"
_HTML = "flamespan.viewer.html"

_MOST_TROUBLES = 3


def report_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan report``."""
    options.add_options(parser)
    table = parser.add_argument_group("the table")
    table.add_argument(
        "--by", metavar="WHAT", default="function", help=", ".join(questions.QUESTIONS)
    )
    table.add_argument("--function", metavar="NAME", help="whose callers or callees")
    table.add_argument(
        "--instances", action="store_true", help="each transaction, span or measurement"
    )
    table.add_argument("--match", metavar="REGEX", help="only rows whose name matches")
    table.add_argument("--sort", metavar="COLUMN", help="largest first (text: from A)")
    table.add_argument(
        "--limit", metavar="N", type=int, help=f"rows, 0: all (tables: {questions.LIMIT})"
    )
    table.add_argument(
        "--format", metavar="|".join(questions.FORMATS), default="table", help="of the output"
    )


def chosen(args: argparse.Namespace) -> Profile:
    """The profile that the options ask for; what is missing in it is said on standard error."""
    profile = options.chosen(args)
    for caveat in profile.caveats:
        print(f"flamespan: {caveat}", file=sys.stderr)
    for process in profile.processes:
        lines = list(troubles(process_info(process)))
        for line in lines[:_MOST_TROUBLES]:
            print(f"flamespan: {os.path.basename(process.paths[0])}: {line}", file=sys.stderr)
        if len(lines) > _MOST_TROUBLES:
            print("flamespan: … and more; see flamespan info", file=sys.stderr)
    return profile


def report(args: argparse.Namespace) -> int:
    """Print one table."""
    if args.by not in questions.QUESTIONS:
        raise UsageError(f"--by {args.by!r}: there are {', '.join(questions.QUESTIONS)}")
    if args.format not in questions.FORMATS:
        raise UsageError(f"--format {args.format!r}: there are {', '.join(questions.FORMATS)}")
    match = options.pattern(args.match, "--match") if args.match else None
    args.keep_samples |= args.by in questions.SINGLE
    profile = chosen(args)
    table = questions.QUESTIONS[args.by](profile, args)
    if match:
        table = questions.matching(table, match)
    if args.sort:
        table = questions.in_order(table, args.sort)
    shown = questions.limited(table, args)
    if args.format in ("table", "markdown"):
        draw = importlib.import_module(_TERMINAL)
        left = len(table) - len(shown)
        asked = draw.Question(profile, args.by, args.instances, options.origin_ns(profile), left)
        if args.format == "markdown":
            print(draw.markdown(asked, shown), file=_output())
        else:
            draw.console(_output()).print(draw.table(asked, shown))
    else:
        _print_data(shown, args.format)
    return 0


def _print_data(table: pd.DataFrame, form: str) -> None:
    """The table for programs."""
    if form == "csv":
        _output().write(table.to_csv(index=False, lineterminator="\n"))
    else:
        said = json.dumps(records(table), default=plain, ensure_ascii=False, indent=1)
        print(said, file=_output())


def _output() -> TextIO:
    """The standard output, which no name of a function can break (names may be anything)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return sys.stdout


def diff_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan diff``."""
    options.add_options(parser, sides=True)
    how = parser.add_argument_group("the comparison")
    for side in ("base", "new"):
        how.add_argument(f"--{side}-between", metavar="T0..T1", help=f"--between of {side} alone")
    how.add_argument("--by", metavar="|".join(alignment.BY), default="function", help="the rows")
    how.add_argument(
        "--measure", metavar="|".join(comparison.MEASURES), default="self", help="time"
    )
    how.add_argument(
        "--test",
        metavar="|".join(comparison.TESTS),
        default="both",
        help="what must differ: time per transaction, share of it, or both",
    )
    how.add_argument(
        "--fail-on-regression", action="store_true", help="exit with 1 where something is slower"
    )
    out = parser.add_argument_group("the answer")
    out.add_argument("--match", metavar="REGEX", help="only rows whose name matches")
    out.add_argument("--sort", metavar="COLUMN", help="largest first (text: from A)")
    out.add_argument(
        "--limit", metavar="N", type=int, help=f"rows, 0: all (tables: {questions.LIMIT})"
    )
    out.add_argument(
        "--format", metavar="|".join(questions.FORMATS), default="table", help="of the output"
    )
    out.add_argument("--svg", metavar="FILE", help="write a differential flame graph")
    out.add_argument("--html", metavar="FILE", help="write the compare page")
    out.add_argument("--folded", metavar="FILE", help="write stacks with both sides' nanoseconds")


def diff(args: argparse.Namespace) -> int:
    """Print what changed; 1 where it is slower and that was asked for."""
    if args.format not in questions.FORMATS:
        raise UsageError(f"--format {args.format!r}: there are {', '.join(questions.FORMATS)}")
    match = options.pattern(args.match, "--match") if args.match else None
    found = comparison.compare(
        _side(args, args.base, args.base_between),
        _side(args, args.new, args.new_between),
        by=args.by,
        measure=args.measure,
        test=args.test,
    )
    table = found.table if match is None else questions.matching(found.table, match)
    if args.sort:
        table = questions.in_order(table, args.sort)
    shown = questions.limited(table, args)
    if args.format in ("table", "markdown"):
        draw = importlib.import_module(_DIFF_TABLE)
        if args.format == "markdown":
            print(draw.markdown(found, shown), file=_output())
        else:
            console = importlib.import_module(_TERMINAL).console(_output())
            console.print(draw.table(found, shown, len(table) - len(shown)))
    else:
        _print_data(shown, args.format)
    _write_diff(found, args)
    return int(args.fail_on_regression and found.regressed)


def _side(args: argparse.Namespace, path: str, between: str | None) -> Profile:
    """One of the two recordings, by the same filters as the other (but ``between``)."""
    own = {"paths": [path], "between": between or args.between}
    try:
        return chosen(argparse.Namespace(**{**vars(args), **own}))
    except UsageError as error:
        said = str(error)
        raise UsageError(said if path in said else f"{path}: {said}") from None


def _write_diff(found: comparison.Comparison, args: argparse.Namespace) -> None:
    """Write the files that were asked for, and say where (not into CSV or JSON)."""
    for path, write in (
        (args.svg, lambda file: importlib.import_module(_DIFF_SVG).write(found, file)),
        (args.html, lambda file: importlib.import_module(_HTML).write_comparison(found, file)),
        (args.folded, lambda file: file.writelines(f"{line}\n" for line in difftree.folded(found))),
    ):
        if path:
            landing.land(path, write, binary=False)
            print(f"wrote {path} ({os.path.getsize(path):,} bytes)", file=sys.stderr)


def tree_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan tree``."""
    options.add_options(parser)
    shape = parser.add_argument_group("the tree")
    shape.add_argument(
        "--bottom-up", action="store_true", help="from functions with self time to their callers"
    )
    shape.add_argument(
        "--min-share", metavar="SHARE", default="1%", help="leave out less than this (1%% or 0.01)"
    )
    shape.add_argument("--depth", metavar="N", type=int, help="levels to show")


def tree(args: argparse.Namespace) -> int:
    """Print the call tree."""
    least = _share(args.min_share)
    if args.depth is not None and args.depth < 1:
        raise UsageError(f"--depth {args.depth}: must be 1 or more")
    profile = chosen(args)
    draw = importlib.import_module(_TERMINAL)
    calls = profile.tree("bottom-up" if args.bottom_up else "top-down")
    draw.console(_output()).print(draw.tree(profile, calls, least, args.depth))
    return 0


def _share(text: str) -> float:
    try:
        share = float(text.rstrip("% ")) / (100 if "%" in text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--min-share {text!r}: write a share as 1% or 0.01")
    return share


def export_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan export``."""
    said = "\n".join(f"  {name:11} {how.description}" for name, how in exporting.FORMATS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"formats:\n{said}"
    options.add_options(parser)
    out = parser.add_argument_group("the file")
    out.add_argument("-f", "--format", metavar="NAME", help="if the file's name does not tell")
    out.add_argument(
        "-o", "--output", metavar="FILE", help="file or folder; - for the standard output"
    )
    options.add_page_options(parser.add_argument_group("the page (-f html)"))


def export(args: argparse.Namespace) -> int:
    """Write one file and say where."""
    name = args.format or (exporting.guess(args.output) if args.output else None)
    if name is None:
        known = ", ".join(exporting.FORMATS)
        raise UsageError(f"which format? name one with -f: {known}")
    how = exporting.named(name)
    asked = options.page_options(args)
    if asked and name != "html":
        raise UsageError(f"--repository, --editor and --no-source go with -f html, not {name}")
    args.keep_samples |= how.timed
    profile = chosen(args)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        if args.output == "-":
            _to_standard_output(profile, name, asked)
        else:
            path = output_path(args.output, profile, how.suffix)
            exporting.export(profile, name, path, **asked)
            print(f"wrote {path} ({name}, {os.path.getsize(path):,} bytes)")
    for warning in said:
        print(f"flamespan: {warning.message}", file=sys.stderr)
    return 0


def _to_standard_output(profile: Profile, name: str, asked: dict[str, Any]) -> None:
    if exporting.named(name).binary:
        exporting.write(profile, name, sys.stdout.buffer)
        return
    text = io.StringIO()
    exporting.write(profile, name, text, **asked)
    # The formats are UTF-8 whatever the terminal is.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.getvalue().encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def output_path(asked: str | None, profile: Profile, suffix: str) -> str:
    """The file to write: as asked, or named after the recording (in the folder asked for)."""
    if asked and not os.path.isdir(asked):
        return asked
    name = re.sub(r"[^\w.-]+", "-", exporting.title(profile)).strip("-.") or "recording"
    return os.path.join(asked or "", f"{name.removesuffix('.fspan')}{suffix}")


def info_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan info``."""
    options.add_options(parser)
    parser.add_argument("--format", metavar="table|json", default="table", help="of the output")


def info(args: argparse.Namespace) -> int:
    """Say what the recording is and how good it is."""
    if args.format not in ("table", "json"):
        raise UsageError(f"--format {args.format!r}: there are table, json")
    profile = options.chosen(args)
    facts: dict[str, Any] = profile.info()
    if args.format == "json":
        said = json.dumps(facts, default=plain, ensure_ascii=False, indent=1)
        print(said, file=_output())
    else:
        draw = importlib.import_module(_TERMINAL)
        draw.console(_output()).print(draw.info(facts))
    return 0
