"""One program in this process under one profiler: python -m attribution.target SPEC.json

SPEC names program, tool, rate, seconds, folder (for the tool's own files) and result, the file
where the figures go, or why there are none.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from attribution import programs
from attribution.figures import figures, sum_rule
from attribution.seen import Seen
from attribution.tools import TOOLS, Absent
from attribution.tracer import Book


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    try:
        result = measure(spec)
    except Absent as error:
        result = {"absent": str(error)}
    except ImportError as error:
        result = {"absent": f"{error.name} is not installed: pip install {error.name}"}
    Path(spec["result"]).write_text(json.dumps(result))


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the program under the tool, and count."""
    program = programs.find(spec["program"])
    seen = Seen()
    gc.collect()
    with TOOLS[spec["tool"]](spec["rate"], spec["folder"], seen) as tracer:
        book = Book(tracer)
        program(book, spec["seconds"])
    rule = sum_rule(seen)
    return {
        "transactions": book.begun,
        "figures": asdict(figures(seen)),
        "states": dict(seen.states),
        "sum_rule": None if rule is None else asdict(rule),
    }


if __name__ == "__main__":
    main()
