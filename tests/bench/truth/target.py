"""One program in this process, with one profiler or none: python -m truth.target SPEC.json

SPEC names the program, seed, seconds, units, tool, rate, folder (for the tool's own files) and
result, the file where the truth goes, and what the tool saw if it lives in this process.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

from truth import inside
from truth.ledger import Call, drive_truth
from truth.seen import Seen
from truth.work import calibrate


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    program = importlib.import_module(f"truth.{spec['program']}")
    if spec.get("calibrate"):
        result = {phase.name: calibrate(phase) for phase in program.PHASES}
    else:
        result = measure(spec, program)
    Path(spec["result"]).write_text(json.dumps(result))


def measure(spec: dict[str, Any], program: Any) -> dict[str, Any]:
    """Run the plan under the tool, if any; the same seed and units are the same work."""
    units = spec["units"]
    calls = [
        Call(phase.function, phase.size(length, units[phase.name]), phase.waits)
        for phase, length in program.plan(Random(spec["seed"]), spec["seconds"])
    ]
    seen = Seen(phase.name for phase in program.PHASES)
    start = inside.TOOLS.get(spec["tool"])
    gc.collect()
    try:
        with nullcontext() if start is None else start(spec["rate"], spec["folder"], seen):
            ledger = drive_truth(calls)
    except inside.Absent as error:
        return {"absent": str(error)}
    return {
        "total_ns": ledger.total_ns,
        "granted": ledger.granted(),
        "truth": ledger.truth(),
        "seen": seen.to_json(),
    }


if __name__ == "__main__":
    main()
