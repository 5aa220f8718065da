"""The demo: record the shop under load, print the tables, write the page and the pictures.

    python samples/demo.py [--seconds 20] [--output demo]

Runs the ``flamespan`` command of the environment it is started in and shows each command, so
that everything here can be typed again.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

SHOP = os.path.relpath(Path(__file__).resolve().parent / "programs" / "shop")


def commands(output: Path, seconds: float) -> list[tuple[str, list[str]]]:
    """What the demo runs, each with a sentence that says why."""
    profiles = str(output / "profiles")
    shop = ["python", SHOP, "--profile", profiles, "--seconds", f"{seconds:g}"]
    report = ["flamespan", "report", profiles]
    tree = ["flamespan", "tree", profiles]
    export = ["flamespan", "export", profiles]
    return [
        ("A shop under load, with the profiler inside", shop),
        ("What was recorded, and how well", ["flamespan", "info", profiles]),
        ("Where the time goes, by function", [*report, "--application", "--limit", "12"]),
        ("... by transaction", [*report, "--by", "transaction"]),
        (
            "What threads wait for inside transactions",
            [*report, "--states", "idle", "--in-transactions", "--application", "--limit", "5"],
        ),
        ("Missing instrumentation", [*report, "--by", "gap", "--limit", "5"]),
        (
            "Queries in a loop: the spans of one route",
            [*report, "--by", "span", "--transaction", "GET /products", "--limit", "4"],
        ),
        (
            "One route's call tree, 120 levels of recursion folded into one",
            [*tree, "--transaction", "GET /categories", "--application", "--recursion", "direct"],
        ),
        ("The page", [*export, "-f", "html", "-o", str(output / "shop.html")]),
        (
            "For speedscope",
            [*export, "-f", "speedscope", "-o", str(output / "shop.speedscope.json")],
        ),
        ("A flame graph", [*export, "-f", "svg", "-o", str(output / "shop.svg")]),
        ("A picture", ["flamespan", "plot", profiles, "-o", str(output / "shop.png")]),
    ]


def show(title: str, command: list[str]) -> None:
    """Print a command and run it; a failure ends the demo."""
    print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n== {title}")
    print(f"$ {shlex.join(command)}", flush=True)
    programs = Path(sys.executable).parent
    found = sys.executable if command[0] == "python" else shutil.which(command[0], path=programs)
    if found is None:
        sys.exit(f"{command[0]} is not installed in {programs}: pip install -e '.[plot,shop]'")
    done = subprocess.run([found, *command[1:]], check=False)
    if done.returncode:
        sys.exit(f"that ended with {done.returncode}: the demo stops here")


def main() -> int:
    """Run every command and say what to open."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the load lasts")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder, made anew")
    args = parser.parse_args()
    began = time.monotonic()
    output: Path = args.output
    shutil.rmtree(output / "profiles", ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    for title, command in commands(output, args.seconds):
        show(title, command)
    print(f"\nDone in {time.monotonic() - began:.0f} s. In {output}/:")
    print("  shop.html             open it in a browser: transactions, spans, flame chart, tables")
    print("  shop.svg              a flame graph: click to zoom, Ctrl-F to search")
    print("  shop.png              the same as a picture")
    print(
        "  shop.speedscope.json  drop it on speedscope, or: flamespan view --speedscope",
        output / "profiles",
    )
    print("  profiles/             the sample files; flamespan view", output / "profiles")
    return 0


if __name__ == "__main__":
    sys.exit(main())
