"""Fuzzes the native engine's readers of foreign memory for as long as is wanted.

    python tests/bench/fuzz_native.py [--seconds 60] [--seed N] [--alone] [--corpus FOLDER]

Guided by coverage (libFuzzer) where clang and its runtime are there (Debian: ``apt-get install
clang libclang-rt-14-dev``, of clang's version); else, or with ``--alone``, with a generator of its
own, seed after seed. Both with AddressSanitizer and UBSan. Fails (exit 1) on a crash, a report, an
input that takes too long or a result out of bounds; what libFuzzer fails on is kept and named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers import native_c

ROUNDS = 5000
MAX_LEN = 2048
INPUT_TIMEOUT_S = 20
LIBFUZZER = [f"-fsanitize=fuzzer,{native_c.SANITIZERS}", *native_c.SANITIZE[1:], "-DLIBFUZZER"]


def run_guided(target: Path, folder: Path, options: argparse.Namespace) -> int:
    """Run libFuzzer; its exit code."""
    corpus = Path(options.corpus) if options.corpus else folder / "corpus"
    corpus.mkdir(exist_ok=True)
    kept = Path(tempfile.gettempdir()) / "flamespan-fuzz-"
    command = [
        target, f"-max_total_time={options.seconds:.0f}", f"-max_len={MAX_LEN}",
        f"-timeout={INPUT_TIMEOUT_S}", f"-artifact_prefix={kept}", f"-seed={options.seed}",
        "-len_control=0", "-print_final_stats=1", corpus,
    ]  # fmt: skip
    return subprocess.run(command, env=os.environ | native_c.OPTIONS, check=False).returncode


def run_alone(target: Path, options: argparse.Namespace) -> int:
    """Run the program of its own, seed after seed; the first exit code that is not 0."""
    until = time.monotonic() + options.seconds
    seed = options.seed
    while time.monotonic() < until:
        command = [target, str(seed), str(ROUNDS)]
        code = subprocess.run(command, env=os.environ | native_c.OPTIONS, check=False).returncode
        if code:
            return code
        seed += 1
    return 0


def fuzz(options: argparse.Namespace, folder: Path) -> int:
    """Build what can be built here, and run it."""
    clang = shutil.which("clang")
    lacking = "as asked" if options.alone else "clang is not here" if clang is None else ""
    target = folder / "fuzz"
    if not lacking and clang:
        lacking = native_c.lacking([clang], LIBFUZZER, folder)
    if not lacking and clang:
        native_c.build([clang], target, LIBFUZZER)
        print("fuzzing with libFuzzer", flush=True)
        return run_guided(target, folder, options)
    cc = native_c.compiler()
    if cc is None:
        print("no C compiler is here")
        return 1
    print(f"fuzzing without libFuzzer: {lacking}", flush=True)
    lacking = native_c.lacking(cc, native_c.SANITIZE, folder)
    if lacking:
        print(f"and without sanitizers: {lacking}", flush=True)
    native_c.build(cc, target, [] if lacking else native_c.SANITIZE)
    return run_alone(target, options)


def main() -> int:
    """Parse, fuzz, tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000 + 1)
    parser.add_argument("--alone", action="store_true", help="without libFuzzer")
    parser.add_argument("--corpus", help="folder of inputs to begin with, and to keep new ones in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-native-") as folder:
        code = fuzz(options, Path(folder))
    print("nothing was found" if code == 0 else f"FAILED, exit code {code}, seed {options.seed}")
    return int(code != 0)


if __name__ == "__main__":
    sys.exit(main())
