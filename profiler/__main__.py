"""The command line: finds the command, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from flamespan.profiler.errors import FlamespanError, UsageError

COMMANDS = {
    "run": ("flamespan.profiler.cli", "record a program from its first line to its last"),
    "report": ("flamespan.aggregator.cli", "tables of where the time went"),
    "diff": ("flamespan.aggregator.cli", "what got slower from one recording to another"),
    "tree": ("flamespan.aggregator.cli", "the call tree, top-down or bottom-up"),
    "export": ("flamespan.aggregator.cli", "write a profile for another tool: speedscope, SVG, …"),
    "info": ("flamespan.aggregator.cli", "what a recording is and how good it is"),
    "view": ("flamespan.viewer.cli", "look at a profile in the browser"),
    "plot": ("flamespan.viewer.cli", "draw a profile into a picture"),
    "hook": ("flamespan.profiler.hookfile", "have programs begin to record by themselves"),
    "top": ("flamespan.viewer.top.cli", "what a running recording does now, in the terminal"),
    "attach": ("flamespan.profiler.cli", "record a process that has no flamespan, from outside"),
    "control": ("flamespan.profiler.cli", "start, stop, or look into a running process"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(given)
    except FlamespanError as error:
        _say(str(error))
        return error.exit_code
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing == "flamespan":
            raise
        _say(f"this needs {missing}, which is not installed: pip install {missing}")
        return 2
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _dispatch(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if given else 2
    name = given[0]
    if name == "--version":
        from flamespan.profiler.environment import version  # noqa: PLC0415 - slow to load

        print(f"flamespan {version()}".rstrip())
        return 0
    if name not in COMMANDS:
        raise UsageError(f"no command {name!r}; there are: {', '.join(COMMANDS)}")
    home, summary = COMMANDS[name]
    module = importlib.import_module(home)
    parser = argparse.ArgumentParser(
        prog=f"flamespan {name}",
        description=summary[0].upper() + summary[1:] + ".",
        allow_abbrev=False,
    )
    getattr(module, f"{name}_parser")(parser)
    code: int = getattr(module, name)(parser.parse_args(given[1:]))
    if not sys.stdout.closed:
        sys.stdout.flush()
    return code


def _usage() -> str:
    width = max(map(len, COMMANDS))
    rows = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        ["usage: flamespan COMMAND …", "", *rows, "", "flamespan COMMAND --help tells more."]
    )


def _say(what: str) -> None:
    print(f"flamespan: {what}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
