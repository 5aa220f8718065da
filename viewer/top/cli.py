"""``flamespan top PID|FOLDER``: follow a live recording in the terminal."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live as Display

from flamespan.aggregator.live import Live, LiveProcess, Wanted
from flamespan.aggregator.profile import Profile
from flamespan.profiler import asking
from flamespan.profiler.errors import UsageError
from flamespan.viewer import terminal
from flamespan.viewer.top import keyboard
from flamespan.viewer.top.choice import CLOCKS, SORTS, Choice
from flamespan.viewer.top.screen import PROCESSES, foot, screen

_AROUND = 5
"""Lines that are not the table's: heading, summary, more, keys, and one to spare."""


def top_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan top``."""
    add = parser.add_argument
    add("target", metavar="PID|FOLDER", help="a recording process, or where recordings are written")
    add("--by", default="function", metavar="|".join(SORTS), help="the rows")
    add("--sort", default="", metavar="COLUMN", help="as self, total, samples, name")
    add("--filter", default="", metavar="WORDS", help="rows with all of these words")
    add("--clock", default="wall", metavar="|".join(CLOCKS), help="what is summed")
    add("--application", action="store_true", help="the application's frames only")
    add("--window", type=float, default=10.0, metavar="SECONDS", help="how far back it looks")
    add("--interval", type=float, default=1.0, metavar="SECONDS", help="between two looks")
    add("--limit", type=int, default=20, metavar="N", help="rows that are printed, not on a screen")
    add("--once", action="store_true", help="print once; so it does where no terminal is")
    add("--batch", type=int, default=0, metavar="N", help="print N times")


def top(args: argparse.Namespace) -> int:
    """Show what was sampled in the last seconds, again and again, until q or Ctrl-C."""
    if not 0.1 <= args.interval <= 3600:
        raise UsageError(f"--interval {args.interval:g}: give 0.1 to 3600 seconds")
    if args.limit < 1 or args.batch < 0:
        raise UsageError("--limit and --batch: give 1 or more")
    choice = Choice(
        args.by, args.sort, args.filter, args.clock, args.window, application=args.application
    )
    folder, wanted = _place(args.target)
    live = Live(folder, round(choice.window_s * 1e9), wanted)
    if args.once or args.batch or not (sys.stdout.isatty() and sys.stdin.isatty()):
        _print(live, choice, args)
    else:
        _follow(live, choice, args.interval)
    return 0


def _place(target: str) -> tuple[str, Wanted | None]:
    """The folder to look at, and which of its recordings."""
    if os.path.isdir(target):
        return target, None
    if not target.isdecimal():
        raise UsageError(f"{target}: no such folder, and no process number")
    pid = int(target)
    status = asking.ask(pid, {"command": "status"})
    if not status["recording"]:
        raise UsageError(f"process {pid} is not recording: flamespan control {pid} start")
    return status["directory"], lambda header: header.pid == pid


def _refresh(live: Live) -> None:
    try:
        live.refresh()
    except OSError as error:
        raise UsageError(f"{live.folder}: {error.strerror or error}") from None


def _print(live: Live, choice: Choice, args: argparse.Namespace) -> None:
    """Plain text, ``--batch`` times."""
    console = terminal.console(sys.stdout)
    for number in range(args.batch or 1):
        if number:
            time.sleep(args.interval)
            console.print()
        _refresh(live)
        console.print(screen(live.processes(), live.profile(), choice, args.limit))


def _follow(live: Live, first: Choice, interval_s: float) -> None:
    """On the screen, until q."""
    console = Console(highlight=False)
    processes: list[LiveProcess] = []
    profile: Profile | None = None
    with (
        keyboard.keys() as pressed,
        Display(console=console, screen=True, auto_refresh=False) as display,
    ):
        for choice in _choices(pressed, first, interval_s):
            live.window_ns = round(choice.window_s * 1e9)
            if not choice.paused:
                _refresh(live)
                processes, profile = live.processes(), live.profile()
            rows = console.height - _AROUND - min(len(processes), PROCESSES + 1)
            shown = screen(processes, profile, choice, max(1, rows))
            display.update(Group(shown, foot(choice)), refresh=True)


def _choices(pressed: keyboard.Pressed, choice: Choice, interval_s: float) -> Iterator[Choice]:
    """What is chosen, at each key and after each interval, until it is over."""
    due_s = time.monotonic()
    yield choice
    while True:
        due_s = max(due_s + interval_s, time.monotonic())
        while (left_s := due_s - time.monotonic()) > 0:
            key = pressed(left_s)
            if not key:
                continue
            before, choice = choice, choice.after(key)
            if choice.over:
                return
            if choice != before:
                yield choice
        yield choice
