"""`python -m shop`: serve the shop, load it for a while, record it, say how it went."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if not __package__:  # started as `python samples/programs/shop`
    sys.path.insert(0, str(HERE.parent))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m shop", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the load lasts")
    parser.add_argument("--requests", type=int, default=100_000, help="at most so many pages")
    parser.add_argument("--profile", metavar="DIRECTORY", default="profiles", help="sample files")
    parser.add_argument("--no-profile", action="store_true", help="leave the profiler off")
    parser.add_argument("--rate", type=float, default=100.0, help="samples a second")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--browsers", type=int, default=3, help="visitors that read pages")
    parser.add_argument("--buyers", type=int, default=4, help="visitors that check out")
    parser.add_argument("--seed", type=int, default=1, help="of the data and of the load")
    parser.add_argument("--folder", help="for the database; a temporary one if left out")
    parser.add_argument("--serve", action="store_true", help="no load: serve until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON")
    return parser.parse_args(arguments)


def main() -> int:
    """Run the shop as the options say; 0 when every request went as expected."""
    args = parse()
    with ExitStack() as cleanup:
        port = start(args, cleanup)
        print(f"the shop is at http://127.0.0.1:{port}/", file=sys.stderr, flush=True)
        if args.serve:
            return _wait()
        result = load(port, args)
    if args.json:
        print(json.dumps(result))
    else:
        show(result)
    return 1 if result["unexpected"] or not result["requests"] else 0


def start(args: argparse.Namespace, cleanup: ExitStack) -> int:
    """Fill a database, start the profiler and the server; the port."""
    from shop import seed, tracing
    from shop.app import create_app
    from shop.server import serving

    folder = args.folder
    if folder is None:
        folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="shop-"))
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder, "shop.sqlite")
    if not path.exists():
        seed.fill(str(path), args.seed)
    app = create_app(str(path), seed.sales(args.seed))
    cleanup.enter_context(tracing.recording(None if args.no_profile else args.profile, args.rate))
    return cleanup.enter_context(serving(app, args.port))


def load(port: int, args: argparse.Namespace) -> dict[str, Any]:
    """Run the load driver in a process of its own; its summary."""
    command = [sys.executable, str(HERE / "load.py"), f"--port={port}", f"--seconds={args.seconds}"]
    command += [f"--requests={args.requests}"]
    command += [f"--browsers={args.browsers}", f"--buyers={args.buyers}", f"--seed={args.seed}"]
    driver = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if not driver.stdout.strip():
        raise SystemExit(f"the load driver ended with {driver.returncode} and no result")
    result: dict[str, Any] = json.loads(driver.stdout)
    return result


def show(result: dict[str, Any]) -> None:
    """Print a summary for people."""
    print(
        f"{result['requests']} requests in {result['seconds']:.1f} s:"
        f" {result['requests_per_second']:.1f} requests/s"
    )
    print(
        "latency: "
        + ", ".join(f"p{name} {ms:.0f} ms" for name, ms in result["percentiles_ms"].items())
    )
    for line in result["unexpected"]:
        print(f"unexpected: {line}")


def _wait() -> int:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
