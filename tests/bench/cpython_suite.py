"""Runs CPython's own tests without and with the profiler, and says which pass only without it.

    python tests/bench/cpython_suite.py [--python PATH] [--site FOLDER] [--engine native]
                                        [--rate 1000] [--tests test_gc,test_threading]

Each test module runs in a process of its own, first without, then with a recording that begins
before anything of it is imported. The processes that tests start are not recorded, forked ones
are. What fails with the profiler only is tried once more each way: the tests of threads and time
fail now and then on a busy machine all by themselves. Ends with a table of all modules, and with
exit code 1 if anything fails because of flamespan. Every sample file has to load whole.

``--site`` is a folder that holds flamespan, for an interpreter that has none installed. The
interpreter has to have the ``test`` package, which many distributions leave out. Modules that it
lacks (``make install`` forgot test_concurrent_futures in 3.11.7 and 3.12.1) can be in a ``test``
folder of ``--site``, beside links to all the others.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

TESTS = (
    "test_asyncio",
    "test_threading",
    "test_generators",
    "test_coroutines",
    "test_gc",
    "test_fork1",
    "test_subprocess",
    "test_concurrent_futures",
    "test_sys_settrace",
    "test_monitoring",
    "test_exceptions",
    "test_contextlib_async",
)

SITECUSTOMIZE = '''
"""Starts a recording in the process that runs regrtest, when asked to."""
import os, sys

def begin():
    # Taken out, so that only this process is recorded and not those that tests start.
    asked = os.environ.pop("FLAMESPAN_SUITE", "")
    words = sys.orig_argv
    if asked and any(words[n : n + 2] == ["-m", "test"] for n in range(len(words))):
        from flamespan import profiler
        folder, rate, engine = asked.split("|")
        profiler.start(folder, float(rate), engine=engine)

begin()
'''

CHECK = '''
"""Says what is wrong with the sample files of a folder."""
import pathlib, sys
from flamespan.profiler.errors import SampleFileError
from flamespan.profiler.samplefile import SampleReader

def check(path):
    try:
        reader = SampleReader(path)
        recording = reader.read()
    except SampleFileError as error:
        return str(error)
    tables, found = recording.tables, [*recording.loss.reasons]
    for samples in recording.samples:
        unknown = set(samples.thread) - tables.threads.keys()
        if unknown:
            found.append(f"{path}: threads {sorted(unknown)} are not defined")
        if samples.stack and max(samples.stack) >= len(tables.stacks):
            found.append(f"{path}: a stack is not defined")
    return "\\n".join(found)

print("\\n".join(filter(None, map(check, pathlib.Path(sys.argv[1]).glob("*.fspan")))))
'''

_FAILED = re.compile(r"^(?:FAIL|ERROR): (.+)$", re.MULTILINE)
_RESULT = re.compile(r"^Result: (.+)$|^(?:== )?Tests result: (.+)$", re.MULTILINE)
# What makes two runs of the same subtest look different.
_VARIES = re.compile(r"0x[0-9a-f]+|/tmp/\S+|\d+\.\d+")


@dataclass
class Run:
    """How a test module ended. ``failed`` names its failed tests."""

    ok: bool
    how: str
    seconds: float
    failed: set[str] = field(default_factory=set)
    tail: str = ""
    recorded: int = 0
    files: int = 0
    damage: str = ""


@dataclass
class Suite:
    """What to run, with what."""

    python: str
    folder: str
    site: str | None
    asked: tuple[float, str]
    timeout: float

    def environment(self, profiles: str | None) -> dict[str, str]:
        """The same for both sides but for one variable."""
        found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (self.folder, self.site)))
        if profiles is not None:
            rate, engine = self.asked
            found["FLAMESPAN_SUITE"] = f"{profiles}|{rate}|{engine}"
        return found

    def run(self, test: str, *, profiled: bool) -> Run:
        """Run one test module; a hang is cut off after the timeout and told."""
        with tempfile.TemporaryDirectory() as profiles:
            flags = ["-v", "--fail-env-changed", f"--timeout={self.timeout:.0f}"]
            command = [self.python, "-m", "test", *flags, test]
            began = time.monotonic()
            try:
                done = subprocess.run(
                    command,
                    env=self.environment(profiles if profiled else None),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=self.timeout + 30,
                    check=False,
                )
                output, code = done.stdout.decode(errors="replace"), done.returncode
            except subprocess.TimeoutExpired as error:
                output, code = (error.stdout or b"").decode(errors="replace"), None
            found = judge(output, code, time.monotonic() - began)
            look_at_files(self, profiles, found)
        return found


def look_at_files(suite: Suite, profiles: str, run: Run) -> None:
    """Note how much was recorded, and what is wrong with it."""
    sizes = [path.stat().st_size for path in Path(profiles).glob("*.fspan")]
    run.recorded, run.files = sum(sizes), len(sizes)
    checked = ask(suite, CHECK, profiles)
    run.damage = (checked.stdout + checked.stderr).strip()


def judge(output: str, code: int | None, seconds: float) -> Run:
    """Read regrtest's output and exit code."""
    results = [first or second for first, second in _RESULT.findall(output)]
    if code is None:
        how = "did not end in time"
    elif code < 0:
        how = f"was ended by signal {-code}"
    else:
        how = results[-1].strip() if results else f"exit code {code}"
    failed = {_VARIES.sub("…", name) for name in _FAILED.findall(output)}
    tail = "\n".join(output.splitlines()[-25:])
    return Run(code == 0, how, seconds, failed, tail)


def ask(suite: Suite, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [suite.python, "-c", code, *arguments],
        env=suite.environment(None),
        capture_output=True,
        text=True,
        check=False,
    )


def ready(suite: Suite) -> str:
    """Why nothing can be run with that interpreter; "" if it can."""
    if ask(suite, "import test.libregrtest, test.support").returncode:
        return f"{suite.python} has no test package (test.libregrtest)"
    found = ask(suite, "from flamespan import profiler; profiler.start")
    if found.returncode:
        return f"{suite.python} cannot import flamespan: give --site\n{found.stderr}"
    return ""


def is_there(suite: Suite, test: str) -> bool:
    looked = ask(suite, f"import importlib.util as u; assert u.find_spec('test.{test}')")
    return looked.returncode == 0


@dataclass
class Row:
    """What came of a test module; ``trouble`` is what the profiler breaks, or ""."""

    test: str
    without: str
    with_it: str
    verdict: str
    trouble: str = ""


def compare(suite: Suite, test: str) -> Row:
    """Run a test both ways and say what came of it."""
    without = suite.run(test, profiled=False)
    with_it = suite.run(test, profiled=True)
    print(
        f"{test:24} without: {without.how} ({without.seconds:.0f} s);"
        f" with: {with_it.how} ({with_it.seconds:.0f} s),"
        f" {with_it.recorded} bytes in {with_it.files} files",
        flush=True,
    )
    row = Row(test, brief(without), brief(with_it), "passes")
    if not without.ok:
        row.verdict = "fails alike"
        print(f"    fails without it too: {told(without)}", flush=True)
    new = with_it.failed - without.failed
    if not with_it.recorded:
        row.verdict, row.trouble = "BROKEN", f"nothing was recorded\n{with_it.tail}"
    elif not with_it.ok and (without.ok or without.how != with_it.how or new):
        row.verdict, row.trouble = try_again(suite, test, without, with_it)
    if with_it.damage:
        row.verdict, row.trouble = "BROKEN", f"{row.trouble} files: {with_it.damage}".strip()
    return row


def try_again(suite: Suite, test: str, without: Run, with_it: Run) -> tuple[str, str]:
    """A second pair: what failed with the profiler both times, and never without it."""
    again, plain = suite.run(test, profiled=True), suite.run(test, profiled=False)
    unsteady = without.failed | plain.failed
    new = (with_it.failed & again.failed) - unsteady
    whole = not with_it.failed and not with_it.ok and not again.ok and without.ok and plain.ok
    if new or whole:
        told_new = ", ".join(sorted(new)) or with_it.how
        print(f"    fails with it only: {told_new}\n{with_it.tail}", flush=True)
        return "BROKEN", told_new
    print(
        f"    failed with it, but not each time, or without it as well: {told(with_it)};"
        f" then with: {told(again)}; then without: {told(plain)}",
        flush=True,
    )
    return "unsteady", ""


def told(run: Run) -> str:
    return f"{run.how} [{', '.join(sorted(run.failed))}]" if run.failed else run.how


def brief(run: Run) -> str:
    failed = f", {len(run.failed)} failed" if run.failed else ""
    return f"{run.how}{failed}, {run.seconds:.0f} s"


def tell(rows: list[Row], absent: list[str]) -> None:
    print(f"\n{'test':24} {'without':28} {'with':28}")
    for row in rows:
        print(f"{row.test:24} {row.without:28} {row.with_it:28} {row.verdict}")
    for test in absent:
        print(f"{test:24} not there in this Python")


def let_interrupts_through() -> None:
    """What a shell starts in the background ignores SIGINT, and so would the tests of it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=False)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--site", help="folder to import flamespan from")
    parser.add_argument("--engine", default="native")
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--tests", default=",".join(TESTS))
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one module")
    return parser.parse_args()


def main() -> int:
    """Run all tests that this version has."""
    options = parse()
    let_interrupts_through()
    rows: list[Row] = []
    site = os.path.abspath(options.site) if options.site else None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(SITECUSTOMIZE)
        asked = (options.rate, options.engine)
        suite = Suite(options.python, folder, site, asked, options.timeout)
        trouble = ready(suite)
        if trouble:
            print(trouble)
            return 2
        print(ask(suite, "import sys; print('Python', sys.version)").stdout.strip(), flush=True)
        tests = options.tests.split(",")
        absent = [test for test in tests if not is_there(suite, test)]
        if absent:
            print(f"not there in this Python, left out: {', '.join(absent)}", flush=True)
        if len(absent) == len(tests):
            print("none of the tests is there: nothing tried (Debian has them in a package apart)")
            return 2
        rows += [compare(suite, test) for test in tests if test not in absent]
    tell(rows, absent)
    broken = [f"BROKEN: {row.test}: {row.trouble}" for row in rows if row.trouble]
    print("\n".join(broken) or "nothing fails because of flamespan")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
