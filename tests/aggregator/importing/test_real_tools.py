"""Files that other profilers have just written here of a program whose answer is known."""

from __future__ import annotations

import os
import pstats
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flamespan.aggregator import load

pytestmark = pytest.mark.slow

PROGRAM = """
import threading, time

def spin(until):
    while time.monotonic() < until:
        sum(range(200))

def work(until):
    spin(until)

end = time.monotonic() + 2
thread = threading.Thread(target=work, args=(end,), name="worker")
thread.start()
spin(end)
thread.join()
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or pytest.skip(f"{name} is not installed (pip install 'flamespan[test]')")


def run(*command):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        pytest.skip(f"{command[0]} cannot record here: {(done.stderr or done.stdout)[-200:]}")


def spin_has_most_of_it(profile, *, threads):
    table = profile.functions().set_index("function")
    assert table.loc["spin", "total_share"] > 0.8
    assert len(profile.threads()) >= threads
    assert any(name.startswith("work") for name in table.index)
    assert not profile.functions()["origin"].isna().any()


def test_py_spys_collapsed_stacks(program, tmp_path):
    out = tmp_path / "out.txt"
    run(tool("py-spy"), "record", "-r", "50", "--threads", "--format", "raw", "-o", out, "--",
        sys.executable, program)  # fmt: skip
    spin_has_most_of_it(load(out, unit_ns=20_000_000), threads=2)


def test_py_spys_speedscope_file(program, tmp_path):
    out = tmp_path / "out.json"
    run(tool("py-spy"), "record", "-r", "50", "--threads", "--format", "speedscope", "-o", out,
        "--", sys.executable, program)  # fmt: skip
    profile = load(out)
    spin_has_most_of_it(profile, threads=2)
    # py-spy does not always know the name of the main thread.
    assert "worker" in {thread.name for thread in profile.tables.threads}


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="austin 3 knows Python up to 3.12")
@pytest.mark.parametrize("options", [[], ["-f"], ["-s"]])
def test_austins_text(program, tmp_path, options):
    out = tmp_path / "out.txt"
    run(tool("austin"), *options, "-i", "10ms", "-o", out, sys.executable, program)
    spin_has_most_of_it(load(out), threads=2)


def python_3_15() -> str:
    named = os.environ.get("PYTHON315", "")
    found = named or (sys.executable if sys.version_info >= (3, 15) else shutil.which("python3.15"))
    return found or pytest.skip("python3.15 is not here (name one with PYTHON315=…)")


def test_cpythons_own_sampler(program, tmp_path):
    out = tmp_path / "out.txt"
    run(python_3_15(), "-m", "profiling.sampling", "run", "--collapsed", "-a", "-o", out, program)
    spin_has_most_of_it(load(out, unit_ns=1_000_000), threads=2)


def test_cprofile_of_another_process(program, tmp_path):
    out = tmp_path / "out.prof"
    run(sys.executable, "-m", "cProfile", "-o", out, program)
    table = load(out).functions().set_index("function")
    (told,) = [v for (_, _, name), v in pstats.Stats(str(out)).stats.items() if name == "spin"]
    assert table.loc["spin", "total_ns"] == round(told[3] * 1e9) > 10_000_000
