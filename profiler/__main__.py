"""The ``flamespan`` command: finds the command's module, turns errors into one line and a code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from flamespan.profiler.errors import FlamespanError

# Names only: what a command needs is imported when it is asked for.
COMMANDS = {
    "run": ("flamespan.profiler.cli", "record and run a program"),
    "report": ("flamespan.aggregator.cli", "tables: functions, lines, transactions, spans, gaps"),
    "tree": ("flamespan.aggregator.cli", "call tree, top-down or bottom-up"),
    "export": ("flamespan.aggregator.cli", "write speedscope, collapsed, SVG, HTML, CSV, JSON"),
    "info": ("flamespan.aggregator.cli", "what a recording is and how good it is"),
    "view": ("flamespan.viewer.cli", "the page, in a browser"),
    "plot": ("flamespan.viewer.cli", "pictures by matplotlib"),
}

_EXTRAS = {"matplotlib": "plot", "pyarrow": "arrow", "py_spy": "attach"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (0 done, 1 the answer is no, 2 mend it)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = arguments[0] if arguments else ""
    if command not in COMMANDS:
        return _no_command(command)
    try:
        module = importlib.import_module(COMMANDS[command][0])
        parser = argparse.ArgumentParser(
            prog=f"flamespan {command}", description=COMMANDS[command][1]
        )
        getattr(module, f"{command}_parser")(parser)
        return int(getattr(module, command)(parser.parse_args(arguments[1:])))
    except FlamespanError as error:
        print(f"flamespan: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f'flamespan: this needs {error.name}: pip install "flamespan[{extra}]"', file=sys.stderr
        )
        return 2
    except BrokenPipeError:
        # The reader of our output has gone (head, less): no more to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130


def _no_command(word: str) -> int:
    usage = ["usage: flamespan COMMAND …   (flamespan COMMAND --help tells more)", ""]
    usage += [f"  {name:8} {what}" for name, (_, what) in COMMANDS.items()]
    if word in ("-h", "--help", "help"):
        print("\n".join(usage))
        return 0
    if word in ("-V", "--version"):
        from flamespan.profiler.environment import version

        print(f"flamespan {version()}")
        return 0
    trouble = f"flamespan: no command {word!r}\n" if word else ""
    print(trouble + "\n".join(usage), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
