"""`flamespan run`: records a program, whose exit code and output stay as they would be."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any

from flamespan.profiler import asking, autostart, dump, launch, session, settings
from flamespan.profiler.errors import UsageError
from flamespan.profiler.spanlog import MAX_OPEN, MAX_SPANS

_EPILOG = """\
Everything after the script (or after -m MODULE, -c CODE) is the program's own.
Look at the result with: flamespan report profiles/
"""


def run_parser(parser: argparse.ArgumentParser) -> None:
    """The options of ``flamespan run``."""
    parser.usage = "%(prog)s [options] (SCRIPT | COMMAND | - | -m MODULE | -c CODE) [arguments]"
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("-o", "--output", dest="folder", metavar="DIRECTORY", help="default: profiles")
    add("--rate", metavar="HZ", type=float, help="samples a second; default: 100")
    add("--service", help="what the program is called in reports; default: the script's name")
    add("--release", help="its version, for comparisons")
    add("--environment", help="where it runs (production, …)")
    add("--engine", help="auto, native, python; default: auto")
    add(
        "--budget",
        metavar="SHARE",
        type=float,
        help="share of a core that sampling may cost, as 0.01; 0: no limit",
    )
    add(
        "--c-calls",
        action="store_true",
        default=None,
        help="show C functions by name (Python 3.12 or later)",
    )
    _transaction_options(parser)
    _file_options(parser)
    add(
        "--subprocesses",
        action="store_true",
        help="record Python programs that it starts, too (those of multiprocessing always are)",
    )
    add("-q", "--quiet", action="store_true", help="do not say where the recording is")
    add("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module")
    add("-c", dest="code", nargs=argparse.REMAINDER, metavar="CODE", help="run this text")
    add("script", nargs=argparse.REMAINDER, metavar="SCRIPT", help=argparse.SUPPRESS)


def _transaction_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--mode", help="continuous, or transactions: sleep while none is open; default: continuous")
    add(
        "--transaction-sample-rate",
        metavar="SHARE",
        type=float,
        help="share of the transactions to record, 0 to 1; default: 1",
    )
    for name, default, what in (
        ("--max-spans-per-s", MAX_SPANS, "spans kept a second"),
        ("--max-open-spans", MAX_OPEN, "spans open at once"),
    ):
        told = f"{what}; more are counted and dropped; default: {default}"
        add(name, metavar="N", type=int, help=told)


def _file_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--max-file-bytes", metavar="N", type=int, help="size at which a new file is begun")
    add("--max-file-age-s", metavar="S", type=float, help="age at which a new file is begun")
    add(
        "--max-folder-bytes",
        metavar="N",
        type=int,
        help="what the folder's files may hold: the oldest closed ones are removed; default: any",
    )


def _options(args: argparse.Namespace, service: str | None) -> dict[str, Any]:
    """The arguments of ``start``: the command line's, else the environment's, pyproject.toml's."""
    found = {"directory": "profiles", **settings.given(os.environ)}
    for name, (keyword, _) in settings.SETTINGS.items():
        value = getattr(args, name, None)
        if value is not None:
            found[keyword] = value
    found["directory"] = os.path.abspath(found["directory"])
    found["service"] = found.get("service") or service
    return found


def run(args: argparse.Namespace) -> int:
    """Record a program. Its exit code is ours; without a program there is nothing to do."""
    execute, service = _prepare(args)
    options = _options(args, service)
    last = _LastWords(args.folder or options["directory"], args.quiet)
    # Before the recording's own handler, so that it runs after it: the file is closed by then.
    atexit.register(last.say)
    last.profiler = session.start(**options)
    if args.subprocesses:
        os.environ[autostart.SUBPROCESSES] = "1"
    told = {**options, "service": last.profiler.service}
    autostart.tell_children(os.environ, told)
    try:
        execute()
    except SystemExit:
        raise
    except BaseException as error:
        trace = launch.own_traceback(error.__traceback__)
        _report(error.with_traceback(trace))
        last.interrupted = isinstance(error, KeyboardInterrupt)
        return 1
    return 0


def _prepare(args: argparse.Namespace) -> tuple[Callable[[], None], str | None]:
    """What runs the program, and what to call it if its file does not say."""
    if args.module is not None:
        # Given as -mNAME, argparse hands over the rest as if it were a script's.
        name, *rest = [*args.module, *args.script] or [""]
        if not name:
            raise UsageError("-m needs the name of a module")
        return launch.prepare_module(name, rest), name.rpartition(".")[2]
    if args.code is not None:
        given = [*args.code, *args.script]
        if not given:
            raise UsageError("-c needs the program's text")
        return launch.prepare_code(given[0], given[1:]), None
    given = args.script[1:] if args.script[:1] == ["--"] else args.script
    if not given:
        raise UsageError("nothing to run: give a script, -m MODULE or -c CODE")
    if given[0] == "-":
        return launch.prepare_stdin(given[1:]), None
    return launch.prepare_script(_found(given[0]), given[1:]), None


def _found(script: str) -> str:
    """The script, or the command of that name (``gunicorn``) if it is written in Python."""
    if os.path.exists(script) or os.path.dirname(script):
        return script
    # This environment's own first: it may not be activated, and others' would not run here.
    beside = os.path.dirname(sys.executable)
    path = shutil.which(script, path=beside) or shutil.which(script)
    if path is None:
        return script  # said as python does
    with open(path, "rb") as file:
        # pip's launchers begin with the interpreter's path, or with /bin/sh where that is long.
        if b"python" not in file.read(400):
            raise UsageError(
                f"{path} is not written in Python; to record a running one there is py-spy"
            )
    return path


def _report(error: BaseException) -> None:
    """What the interpreter does with an exception that nobody caught."""
    sys.last_type, sys.last_value, sys.last_traceback = (
        type(error),
        error,
        error.__traceback__,
    )
    sys.excepthook(type(error), error, error.__traceback__)


class _LastWords:
    """Says at the very end where the recording is; hands an interrupt on to who waits for us."""

    def __init__(self, directory: str, quiet: bool) -> None:
        self._directory = directory
        self._quiet = quiet
        self._pid = os.getpid()
        self.profiler: session.Profiler | None = None
        self.interrupted = False

    def say(self) -> None:
        """Registered to run after everything else at exit."""
        if self.profiler is None or os.getpid() != self._pid:
            return
        if not self._quiet and self.profiler.path is not None:
            if not sys.stdout.closed:
                sys.stdout.flush()
            print(
                f"flamespan: recorded {self.profiler.path}; "
                f"look at it with: flamespan report {shlex.quote(self._directory)}",
                file=sys.stderr,
            )
        if self.interrupted and os.name == "posix":
            # As python does: whoever waits for us shall see that a signal ended this.
            for stream in (sys.stdout, sys.stderr):
                if not stream.closed:
                    stream.flush()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)


def control_parser(parser: argparse.ArgumentParser) -> None:
    """The options of ``flamespan control``."""
    add = parser.add_argument
    add("pid", metavar="PID", type=int, help="the process")
    add("command", choices=("start", "stop", "status", "dump"))
    add("-o", "--output", metavar="DIRECTORY", help="where start records to; default: as before")
    add("--rate", metavar="HZ", type=float, help="samples a second, for start; default: as before")
    add("--json", action="store_true", help="the answer as it comes")


def control(args: argparse.Namespace) -> int:
    """Tell a running process to start, stop, say how it does, or show its stacks."""
    if not asking.SUPPORTED:
        raise UsageError("flamespan control needs Linux")
    request = {"command": args.command, "rate_hz": args.rate}
    if args.output is not None:
        request["directory"] = os.path.abspath(args.output)
    answer = asking.ask(args.pid, request)
    if args.json:
        print(json.dumps(answer, indent=2))
    elif args.command == "dump":
        print(dump.render(answer))
    elif args.command == "status":
        print("\n".join(_status(answer)))
    else:
        did = "recording to" if answer["recording"] else "recorded"
        print(f"{did} {answer['path']}")
    return 0


def _status(answer: dict[str, Any]) -> list[str]:
    """What a process says of its recording, as lines."""
    if not answer["recording"]:
        return [f"process {answer['pid']} is not recording"]
    stats = answer["stats"]
    drops = ("dropped_samples", "dropped_spans", "torn", "missed", "failed_flushes")
    lines = [
        f"process {answer['pid']} ({answer['service']}) records to {answer['path']}",
        f"engine  {answer['engine']} ({answer['engine_reason']}), mode {answer['mode']}",
        f"rate    {answer['achieved_hz']:.1f} of {answer['rate_hz']:g} Hz",
        f"for     {answer['seconds']:.0f} s",
        f"cost    {answer['cost_cores']:.2%} of a core",
        f"        {answer['cost_of_process']:.2%} of what the process uses",
        "drops   " + ", ".join(f"{stats[name]} {name.replace('_', ' ')}" for name in drops),
        f"open    {answer['open_transactions']} transactions, {answer['open_spans']} spans",
    ]
    if answer["trouble"]:
        lines.append(f"TROUBLE {answer['trouble']}")
    return lines


def attach_parser(parser: argparse.ArgumentParser) -> None:
    """The options of ``flamespan attach``."""
    add = parser.add_argument
    add("pid", metavar="PID", type=int, help="the process")
    add("-o", "--output", metavar="DIRECTORY", default="profiles", help="where to record to")
    add("--rate", metavar="HZ", type=float, default=10.0, help="looks a second, as far as it goes")
    add("--duration", metavar="SECONDS", type=float, default=0.0, help="default: until its end")
    add("--subprocesses", action="store_true", help="also those that it starts")


def attach(args: argparse.Namespace) -> int:
    """Record a process through py-spy, until Ctrl-C, its end, or ``--duration``."""
    from flamespan.profiler import attached  # noqa: PLC0415 - `flamespan run` has no use for it

    if not 0.1 <= args.rate <= attached.MAX_RATE_HZ:
        raise UsageError(f"--rate {args.rate:g}: give 0.1 to {attached.MAX_RATE_HZ:g}")
    if args.duration < 0:
        raise UsageError(f"--duration {args.duration:g}: give seconds, 0 for no end")
    folder = os.path.abspath(args.output)
    try:
        attachment = attached.Attachment(
            args.pid, folder, args.rate, subprocesses=args.subprocesses
        )
    except OSError as error:
        raise UsageError(f"cannot record to {folder}: {error.strerror or error}") from error
    # A flag, no exception: one in the middle of a look would spoil what was not yet written.
    signal.signal(signal.SIGTERM, lambda *_: attachment.stop())
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as it is in a script's background
        signal.signal(signal.SIGINT, lambda *_: attachment.stop())
    reason = "stop"
    print(f"recording process {args.pid} to {folder} (Ctrl-C ends it)", flush=True)
    try:
        reason = attachment.run(args.duration)
    except OSError as error:
        raise UsageError(
            f"cannot write to {folder}: {error.strerror or error}; what was written before stays"
        ) from error
    finally:
        attachment.close(reason)
        for process in attachment.recorded:
            print(f"recorded {process.path} ({process.samples} samples)")
    return 0
