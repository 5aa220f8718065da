"""Builds the fuzzer of the native engine's readers: see tests/native/fuzz.c."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

TESTS = Path(__file__).parents[1]
NATIVE = TESTS.parent / "profiler" / "engine" / "native"
FUZZ = TESTS / "native" / "fuzz.c"

_INCLUDE = re.compile(r'^#include [<"]([\w./]+)[>"]', re.MULTILINE)

FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-g"]
SANITIZERS = "address,undefined"
SANITIZE = [
    f"-fsanitize={SANITIZERS}",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
]
OPTIONS = {"ASAN_OPTIONS": "abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


def compiler() -> list[str] | None:
    """The C compiler: ``CC``, or the first one that is there."""
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        return named if shutil.which(named[0]) else None
    found = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    return [found] if found else None


def needs_python(source: Path) -> bool:
    """Whether a source includes Python's headers, by however many of ours; readers do not."""
    met: set[str] = set()
    left = [source.name]
    while left:
        name = left.pop()
        if name == "Python.h":
            return True
        if name not in met and (NATIVE / name).is_file():
            met.add(name)
            left += _INCLUDE.findall((NATIVE / name).read_text("utf-8"))
    return False


def build(cc: list[str], target: Path, flags: list[str]) -> None:
    """Compile the fuzzer; RuntimeError with what the compiler says when it cannot."""
    sources = [path for path in sorted(NATIVE.glob("*.c")) if not needs_python(path)]
    command = [*cc, *FLAGS, *flags, f"-I{NATIVE}", FUZZ, *sources, "-o", target, "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stderr}")


EMPTY = "int main(void) { return 0; }\n"
EMPTY_TARGET = """#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len) { return at && len > 1000; }
"""


def lacking(cc: list[str], flags: list[str], folder: Path) -> str:
    """Why no program with these flags can be linked or run here; "": one can."""
    source, target = folder / "probe.c", folder / "probe"
    fuzzer = any("fuzzer" in flag for flag in flags)
    source.write_text(EMPTY_TARGET if fuzzer else EMPTY)
    for command in [*cc, *flags, source, "-o", target], [target, *["-runs=1"] * fuzzer]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            return said[-1]
    return ""
