"""The profiler's tests and the hammer, with the native engine under AddressSanitizer and UBSan.

    python tests/bench/sanitized.py [--seconds 60] [--skip-tests] [--rate 10000]

Linux, gcc and its sanitizers' libraries (Debian: in gcc itself). Needs the packages of
``make test`` beside the interpreter that runs it. Builds the extension in a copy, into a virtual
environment of its own that sees the packages of this one, and preloads the sanitizer's library
into Python. Fails (exit 1) when a test or the hammer does, and on any report: they go to files,
since the sampler thread has no standard error (it lets go of all descriptors), and since tests
may not look at what their child processes say.

What the engine reads of foreign memory is read by the kernel, in system calls made directly: the
sanitizers do not see it. A report is always about memory of the engine's own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import site
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ["pyproject.toml", "README.md", "LICENSE", "profiler", "aggregator", "viewer"]
FLAGS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
LIBRARIES = ["libasan.so", "libubsan.so"]

DESELECTED: dict[str, str] = {}
"""Tests that cannot work here, and why."""

PROOF = """
from flamespan.profiler.engine import _native, choose
with open(_native.__file__, "rb") as file:
    code = file.read()
assert b"__asan_report" in code and b"__ubsan_handle" in code, "it was built without sanitizers"
made, reason = choose("native")
made.stop()
print(f"{made.name}: {reason}")
"""


def libraries() -> list[str]:
    """The sanitizers' shared libraries; SystemExit where gcc has none."""
    if shutil.which("gcc") is None or not sys.platform.startswith("linux"):
        sys.exit("needs Linux and gcc")
    found = []
    for name in LIBRARIES:
        command = ["gcc", f"-print-file-name={name}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if not os.path.isabs(path):
            sys.exit(f"gcc has no {name}: install its sanitizers")
        found.append(os.path.realpath(path))
    return found


def make_environment(folder: Path) -> Path:
    """A virtual environment with a sanitized flamespan, and all else from ours; its Python."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    flags = {"CC": "gcc", "CFLAGS": FLAGS, "LDFLAGS": FLAGS}
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps"]
    subprocess.run([*pip, source], env=os.environ | flags, check=True)
    packages = next((folder / "venv").glob("lib/python*/site-packages"))
    (packages / "ours.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return python


def environment(folder: Path) -> dict[str, str]:
    """What the sanitized programs, and all that they start, are to find."""
    log = folder / "reports" / "report"
    log.parent.mkdir()
    return os.environ | {
        "LD_PRELOAD": " ".join(libraries()),
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={log}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:log_path={log}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }


def run(what: str, command: list[str | Path], folder: Path, env: dict[str, str]) -> list[str]:
    """Run it in the repository; what went wrong, a line each."""
    print(f"== {what}", flush=True)
    began = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    wrong = [f"{what}: exit code {code}"] if code else []
    for report in sorted((folder / "reports").iterdir()):
        text = report.read_text(errors="replace")
        print(f"-- {report.name}\n{text}")
        told = next((line for line in text.splitlines() if "error:" in line.lower()), "")
        wrong.append(f"{what}: a sanitizer's report: {told}")
        report.unlink()
    print(f"== {what}: {time.monotonic() - began:.0f} s, {'FAILED' if wrong else 'passed'}")
    return wrong


def sanitized(options: argparse.Namespace, folder: Path) -> list[str]:
    """Build and run all; what went wrong."""
    env = environment(folder)
    python = make_environment(folder)
    wrong = run("the engine proves itself", [python, "-c", PROOF], folder, env)
    if wrong:
        return wrong
    if not options.skip_tests:
        tests = [python, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "tests/profiler"]
        for name, why in DESELECTED.items():
            print(f"left out: {name}: {why}")
            tests.append(f"--deselect={name}")
        wrong += run("tests", tests, folder, env)
    hammer = [python, "tests/bench/hammer.py", "--engine", "native"]
    hammer += ["--seconds", str(options.seconds), "--rate", str(options.rate)]
    return wrong + run(f"hammer, {options.seconds:g} s", hammer, folder, env)


def main() -> int:
    """Parse, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the hammer")
    parser.add_argument("--rate", type=float, default=10_000.0, help="of the hammer")
    parser.add_argument("--skip-tests", action="store_true", help="only the hammer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sanitized-") as folder:
        wrong = sanitized(options, Path(folder))
    print("\n".join(f"WRONG: {what}" for what in wrong) or "nothing was found")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
