"""``flamespan run``: record a program that knows nothing of flamespan."""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys

from flamespan.profiler import session
from flamespan.profiler.errors import UsageError
from flamespan.profiler.launch import Program


def run_parser(parser: argparse.ArgumentParser) -> None:
    """Options of ``flamespan run``; all that follows the program is the program's."""
    parser.usage = (
        "flamespan run [options] script.py [args …]\n"
        "       flamespan run [options] -m module [args …]\n"
        "       flamespan run [options] -c code [args …]"
    )
    add = parser.add_argument
    add("-o", "--output", metavar="DIRECTORY", default="profiles", help="folder of the sample file")
    add("--rate", metavar="HZ", type=float, default=100, help="samples a second (default 100)")
    add("--service", help="name of the program (default: its own)")
    add("--release", help="version of the program")
    add("--environment", help="production, staging, …")
    add("-q", "--quiet", action="store_true", help="do not say where the file lies")
    add("-m", dest="module", nargs=argparse.REMAINDER, help="run a module, as python -m")
    add("-c", dest="code", nargs=argparse.REMAINDER, help="run code, as python -c")
    add("program", nargs=argparse.REMAINDER, help="script and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run the program as python would, recording it; its exit code is ours."""
    program = Program.of(args.module, args.code, args.program)
    if program is None:
        raise UsageError("no program: give a script, -m module or -c code")
    program.check()
    if not args.quiet:
        # Registered before the recording's own exit handler, so it runs after it.
        atexit.register(_say_where, args.output, os.getpid())
    program.prepare()
    session.start(
        args.output,
        args.rate,
        service=args.service or program.name,
        release=args.release,
        environment=args.environment,
    )
    code = program.run()
    if code == -signal.SIGINT:
        session.stop()
        _die_of_interrupt()
    return code


def _say_where(directory: str, pid: int) -> None:
    if os.getpid() != pid:  # a forked child that ends the ordinary way
        return
    print(
        f"flamespan: recorded into {directory}; look at it with: flamespan report {directory}",
        file=sys.stderr,
    )


def _die_of_interrupt() -> None:
    """End by the signal itself, as python does, so that a shell knows it was Ctrl-C."""
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
