"""``flamespan view | plot``: the page, speedscope and pictures on the command line."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from flamespan.aggregator import options
from flamespan.aggregator.cli import chosen, output_path
from flamespan.aggregator.comparison import compare
from flamespan.aggregator.exporting import landing
from flamespan.profiler.errors import UsageError
from flamespan.viewer import plots, speedscope
from flamespan.viewer.recordings import ALL, Recordings
from flamespan.viewer.server import run
from flamespan.viewer.sources import Links

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from flamespan.aggregator.profile import Profile

PLOTS = ("flamegraph", "timeline", "self-time", "transaction", "threads", "latency", "diff")
_SUFFIXES = (".png", ".svg", ".pdf")


def view_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan view``."""
    options.add_options(parser)
    how = parser.add_argument_group("the viewer")
    how.add_argument("--no-open", action="store_true", help="do not open a browser")
    how.add_argument("--port", type=int, default=0, help="of the page on 127.0.0.1 (0: any)")
    options.add_page_options(how)
    how.add_argument("--speedscope", action="store_true", help="open speedscope instead")
    how.add_argument("--npx", action="store_true", help="with --speedscope: npx may fetch it")


def view(args: argparse.Namespace) -> int:
    """Show the page until Ctrl-C, or hand over to speedscope."""
    if args.npx and not args.speedscope:
        raise UsageError("--npx goes with --speedscope")
    args.keep_samples = True
    if args.speedscope:
        return _speedscope(args)
    if not 0 <= args.port <= 65535:
        raise UsageError(f"--port {args.port}: there are 0 to 65535")
    links = Links(**options.page_options(args))
    recordings = Recordings(args.paths, lambda paths: _read(args, paths))
    recordings.keep(ALL, chosen(args))  # What is wrong with it is better said here than there.
    run(recordings, not args.no_open, args.port, on_ready=_say_where, links=links)
    return 0


def _read(args: argparse.Namespace, paths: list[str]) -> Profile:
    return options.chosen(argparse.Namespace(**{**vars(args), "paths": paths}))


def _say_where(url: str) -> None:
    print(f"serving {url} (Ctrl-C ends it)", flush=True)


def _speedscope(args: argparse.Namespace) -> int:
    # Before the recording is read: it may be large, and speedscope may not be there.
    is_here = speedscope.release() is not None
    how = [] if args.no_open or is_here else speedscope.command(npx=args.npx)
    profile = chosen(args)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        path = speedscope.write_export(profile, "speedscope-html" if is_here else "speedscope")
    for warning in said:
        print(f"flamespan: {warning.message}", file=sys.stderr)
    print(f"wrote {path}", flush=True)
    if args.no_open:
        return 0
    if is_here:
        webbrowser.open(Path(path).as_uri())
    else:
        speedscope.start(how, path)
    print("speedscope opens it in your browser")
    return 0


def plot_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan plot``."""
    options.add_options(parser)
    picture = parser.add_argument_group("the picture")
    picture.add_argument("--kind", metavar="|".join(PLOTS), default="flamegraph", help="of picture")
    picture.add_argument("-o", "--output", metavar="FILE", help=f"{', '.join(_SUFFIXES)} or folder")
    picture.add_argument("--limit", metavar="N", type=int, default=20, help="rows of bars")
    picture.add_argument("--base", metavar="PATH", help="of diff: the recording before")
    picture.add_argument("--dpi", type=int, default=150, help="resolution of a .png")


def plot(args: argparse.Namespace) -> int:
    """Write a picture and say where."""
    if args.kind not in PLOTS:
        raise UsageError(f"--kind {args.kind!r}: there are {', '.join(PLOTS)}")
    if not 10 <= args.dpi <= 1200:
        raise UsageError(f"--dpi {args.dpi}: there are 10 to 1200")
    named = args.output and not os.path.isdir(args.output)
    if named and not args.output.lower().endswith(_SUFFIXES):
        raise UsageError(f"{args.output}: write a name that ends with {', '.join(_SUFFIXES)}")
    if (args.kind == "diff") != (args.base is not None):
        raise UsageError("--kind diff and --base PATH, the recording before, go together")
    args.keep_samples |= args.kind in ("timeline", "transaction")
    profile = chosen(args)
    path = output_path(args.output, profile, f".{args.kind}.png")
    axes = _picture(args, profile)
    kind = os.path.splitext(path)[1].lower().removeprefix(".")
    landing.land(path, lambda file: plots.save(axes, file, kind, args.dpi), binary=True)
    print(f"wrote {path} ({args.kind}, {os.path.getsize(path):,} bytes)")
    return 0


def _picture(args: argparse.Namespace, profile: Profile) -> Axes:
    """The picture of ``--kind``."""
    limited = {
        "self-time": plots.plot_self_time,
        "threads": plots.plot_threads,
        "latency": plots.plot_latency,
    }
    if args.kind in limited:
        return limited[args.kind](profile, limit=args.limit)
    if args.kind == "diff":
        return plots.plot_diff(compare(_read(args, [args.base]), profile), limit=args.limit)
    if args.kind == "transaction":
        return plots.plot_transaction(profile)
    return plots.plot_flamegraph(profile, "time" if args.kind == "timeline" else "merged")
