"""`flamespan hook`: where the start hook lies, and how to have it in an environment for good."""

from __future__ import annotations

import argparse
import sys
import sysconfig
from pathlib import Path

from flamespan.profiler.autostart import hook_folder
from flamespan.profiler.errors import UsageError

BEGIN, END = "# flamespan's start hook: begin", "# flamespan's start hook: end"
_LINES = f"""{BEGIN}
import os

if os.environ.get("FLAMESPAN"):
    try:
        from flamespan.profiler import autostart

        autostart.begin()
    except Exception as error:
        import sys

        print(f"flamespan: not recording: {{error}}", file=sys.stderr)
{END}
"""


def hook_parser(parser: argparse.ArgumentParser) -> None:
    """The options of ``flamespan hook``."""
    parser.epilog = (
        'Without options: FLAMESPAN=profiles/ PYTHONPATH="$(flamespan hook)" python app.py. '
        "Once installed: FLAMESPAN=profiles/ python app.py."
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--install", action="store_true", help="write it into this environment's sitecustomize.py"
    )
    what.add_argument("--uninstall", action="store_true", help="take it out again")


def hook(args: argparse.Namespace) -> int:
    """Say where the hook is, or put it into (take it out of) the environment's sitecustomize.py."""
    if not (args.install or args.uninstall):
        sys.stdout.write(hook_folder() + "\n")
        return 0
    path = Path(sysconfig.get_paths()["purelib"]) / "sitecustomize.py"
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        after = _without(before, path)
        if args.install:
            after = f"{after}\n\n{_LINES}".lstrip("\n") if after else _LINES
        if after:
            path.write_text(after, "utf-8")
        elif path.exists():
            path.unlink()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    done = "wrote the hook into" if args.install else "took the hook out of"
    sys.stdout.write(f"{done} {path}\n")
    return 0


def _without(text: str, path: Path) -> str:
    """The file without our part; what others wrote stays as it is."""
    head, begin, rest = text.partition(BEGIN)
    if not begin:
        return text
    _, end, tail = rest.partition(END + "\n")
    if not end:
        raise UsageError(f"{path}: the hook's last line is gone; take its part out by hand")
    return f"{head.rstrip()}\n{tail}" if head.strip() else tail.lstrip("\n")
