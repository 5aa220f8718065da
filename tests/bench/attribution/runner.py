"""Runs of a program under a tool, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parents[1]


def run(python: str, program: str, tool: str, rate: float, seconds: float) -> dict[str, Any]:
    """What ``attribution.target`` found, or {"absent": why there is nothing}."""
    with tempfile.TemporaryDirectory() as folder:
        spec, result = Path(folder, "spec.json"), Path(folder, "result.json")
        told = {"program": program, "tool": tool, "rate": rate, "seconds": seconds}
        spec.write_text(json.dumps({**told, "folder": folder, "result": str(result)}))
        command = [python, "-m", "attribution.target", str(spec)]
        try:
            done = subprocess.run(
                command,
                cwd=_HERE,
                capture_output=True,
                text=True,
                check=False,
                timeout=90 + 10 * seconds,
            )
        except subprocess.TimeoutExpired as error:
            return {"absent": f"not done after {error.timeout:.0f} s"}
        if result.exists():
            found: dict[str, Any] = json.loads(result.read_text())
            return found
        said = (done.stderr.strip() or "nothing said").splitlines()[-1]
        return {"absent": f"failed with exit code {done.returncode}: {said[:120]}"}
