"""Programs of several processes, and programs that know nothing of flamespan, in real processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler import autostart, folder
from flamespan.profiler.errors import UsageError
from helpers import recordings, servers

BUSY = """
def compute(seconds):
    import time
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
"""
APP = f"""{BUSY}
import sys
sys.exit(compute(0.3))
"""
PARENT = f"""{BUSY}
import multiprocessing, subprocess, sys
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "subprocess":
        subprocess.run([sys.executable, "app.py"], check=True)
    else:
        context = multiprocessing.get_context(kind)
        child = context.Process(target=compute, args=(0.4,))
        child.start()
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(compute, [0.3] * 4))
        child.join()
    compute(0.2)
"""


def clean():
    """This process's environment, without what concerns us."""
    return {name: value for name, value in os.environ.items() if "FLAMESPAN" not in name}


def python(*words, cwd, **environ):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=cwd, env={**clean(), **environ}, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def computing(where):
    """Processes in which ``compute`` was seen, by pid; the rest of the recorded processes."""
    profile = load(where)
    table = profile.samples()
    # The function of that name, not one like zope.interface's __compute_attrs.
    seen = set(table.loc[table["stack"].str.contains(r"(?:^|;)compute(?:;|$)"), "pid"])
    return seen, {process.header.pid for process in profile.tables.processes} - seen


@pytest.fixture
def where(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "parent.py").write_text(PARENT)
    return tmp_path


def test_a_variable_records_a_program_that_knows_nothing(where):
    hook = python("-m", "flamespan.profiler", "hook", cwd=where).stdout.strip()
    assert hook == autostart.hook_folder()
    done = python("app.py", cwd=where, FLAMESPAN="prof", FLAMESPAN_SERVICE="shop", PYTHONPATH=hook)
    assert done.stderr == ""
    profile = load(where / "prof")
    [process] = profile.tables.processes
    assert process.header.service == "shop"
    assert profile.functions().iloc[0]["function"] == "compute"


def test_without_the_variable_the_hook_does_nothing(where):
    python("app.py", cwd=where, PYTHONPATH=autostart.hook_folder())
    assert not (where / "profiles").exists()


def test_a_wrong_option_is_said_and_the_program_runs(where):
    done = python(
        "app.py", cwd=where,
        FLAMESPAN="prof", FLAMESPAN_RATE="fast", PYTHONPATH=autostart.hook_folder(),
    )  # fmt: skip
    assert done.stderr.startswith("flamespan: not recording: FLAMESPAN_RATE")
    assert done.stderr.count("\n") == 1


def test_another_sitecustomize_runs_as_before(where):
    other = where / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("print('other one')")
    path = f"{autostart.hook_folder()}:{other}"
    assert python("-c", "0", cwd=where, PYTHONPATH=path).stdout == "other one\n"


def test_the_hook_in_an_environments_own_file(tmp_path):
    venv = tmp_path / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)],
        check=True, timeout=60,
    )  # fmt: skip
    inner = venv / "bin" / "python"
    packages = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    environ = {**clean(), "PYTHONPATH": packages}

    def run(*words, **more):
        return subprocess.run(
            [inner, *words], cwd=tmp_path, env={**environ, **more},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip

    where = run("-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").stdout.strip()
    mine = os.path.join(where, "sitecustomize.py")
    with open(mine, "w") as file:
        file.write("print('mine')\n")
    run("-m", "flamespan.profiler", "hook", "--install")
    run("-m", "flamespan.profiler", "hook", "--install")  # twice does no harm
    assert run("-c", "sum(range(10**7))", FLAMESPAN="prof").stdout == "mine\n"
    assert len(list((tmp_path / "prof").glob("*.fspan"))) == 1
    run("-m", "flamespan.profiler", "hook", "--uninstall")
    with open(mine) as file:
        assert file.read() == "print('mine')\n"


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver"])
def test_every_process_of_multiprocessing_records(where, kind):
    python("-W", "ignore", "-m", "flamespan.profiler", "run", "-q", "parent.py", kind, cwd=where)
    seen, _ = computing(where / "profiles")
    assert len(seen) == 4  # parent, child, two of the pool
    processes = load(where / "profiles").process_table()
    assert set(processes["pid"]) >= seen


@pytest.mark.parametrize("wanted", [False, True])
def test_other_programs_record_if_asked_to(where, wanted):
    words = ["--subprocesses"] if wanted else []
    python("-m", "flamespan.profiler", "run", "-q", *words, "parent.py", "subprocess", cwd=where)
    assert len(computing(where / "profiles")[0]) == 1 + wanted


def test_a_program_that_starts_itself_anew_is_recorded_and_what_it_starts_is_not(where):
    """As the reloaders of Django and Flask do."""
    text = """
import os, subprocess, sys
if "RUN_MAIN" not in os.environ:
    subprocess.run([sys.executable, *sys.argv], env={**os.environ, "RUN_MAIN": "true"}, check=True)
else:
    compute(0.3)
    subprocess.run([sys.executable, "app.py"], check=True)
"""
    (where / "manage.py").write_text(BUSY + text)
    python("-m", "flamespan.profiler", "run", "-q", "manage.py", "runserver", cwd=where)
    seen, rest = computing(where / "profiles")
    assert (len(seen), len(rest)) == (1, 1)


def test_options_of_pyproject(where):
    (where / "pyproject.toml").write_text('[tool.flamespan]\nfolder = "there"\nrelease = "7"\n')
    python("-m", "flamespan.profiler", "run", "-q", "app.py", cwd=where)
    assert load(where / "there").tables.processes[0].header.release == "7"
    python("-m", "flamespan.profiler", "run", "-q", "-o", "here", "app.py", cwd=where)
    assert (where / "here").is_dir()


def test_a_command_by_its_name(where):
    if shutil.which("pygmentize") is None:
        pytest.skip("no pygmentize here")
    done = python(
        "-m", "flamespan.profiler", "run", "-q", "pygmentize", "-l", "python", "app.py", cwd=where
    )
    assert "compute" in done.stdout
    assert load(where / "profiles").tables.processes[0].header.service.startswith("pygmentize")
    with pytest.raises(AssertionError, match="is not written in Python"):
        python("-m", "flamespan.profiler", "run", "ls", cwd=where)


@pytest.mark.parametrize(
    ("words", "environ", "wanted"),
    [
        ("python app.py", {}, True),
        ("python -m uvicorn app:app", {"FLAMESPAN_PID": "7"}, False),
        ("python -m uvicorn app:app", {"FLAMESPAN_PID": "7", "FLAMESPAN_SUBPROCESSES": "1"}, True),
        ("python app.py", {"FLAMESPAN_PID": "99"}, True),
        ("python gunicorn", {"FLAMESPAN_PID": "8", "GUNICORN_PID": "8"}, True),
        ("python gunicorn", {"FLAMESPAN_PID": "7", "GUNICORN_PID": "7"}, False),
        (
            "python app.py",
            {"FLAMESPAN_PID": "8", "RUN_MAIN": "1", "FLAMESPAN_AGAIN": "RUN_MAIN=1"},
            False,
        ),
        ("python -c from multiprocessing.spawn import spawn_main;", {"FLAMESPAN_PID": "7"}, True),
        ("python -m joblib.externals.loky.backend.popen_loky_posix", {"FLAMESPAN_PID": "7"}, True),
        ("python -c from multiprocessing.resource_tracker import main;main(3)", {}, False),
        ("python -m flamespan.profiler report x", {}, False),
        ("python /venv/bin/flamespan report x", {}, False),
    ],
)
def test_which_processes_are_wanted(words, environ, wanted):
    parts = words.split(" ", 2) if " -c " in words else words.split(" ")
    assert autostart.is_wanted(environ, parts, 99, 8) is wanted


@contextlib.contextmanager
def serving(folder, words, port):
    """``python words``, in an environment that says nothing but where the application lies."""
    environ = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    with servers.running(folder, *servers.python(*words), port=port, env=environ) as server:
        yield
    assert server.returncode in (0, -signal.SIGTERM), (folder / "output.txt").read_text()


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent", "uvicorn"])
@pytest.mark.parametrize("preload", [False, True])
def test_workers_of_gunicorn(tmp_path, worker, preload):
    pytest.importorskip("gunicorn")
    if worker == "uvicorn":
        pytest.importorskip("uvicorn_worker")
    pytest.importorskip("gevent")
    (tmp_path / "app.py").write_text(BUSY + (ASGI if worker == "uvicorn" else WSGI))
    port = servers.free_port()
    kind = "uvicorn_worker.UvicornWorker" if worker == "uvicorn" else worker
    words = ["-m", "flamespan.profiler", "run", "-q", "gunicorn", "-w", "2", "-k", kind]
    words += ["--graceful-timeout", "3", "-b", f"127.0.0.1:{port}", *(["--preload"] * preload)]
    # Those of gevent and uvicorn let go of connections when they are replaced, with us or without.
    recycled = worker in ("sync", "gthread")
    words += ["--max-requests", "6"] if recycled else []
    words.append("app:app")
    with serving(tmp_path, words, port):
        assert servers.at_once(port, *["/"] * 24, clients=8) == [200] * 24
    seen, rest = computing(tmp_path / "profiles")
    # Two workers, and those that came for those that had served enough. One may get all requests.
    assert len(seen) >= (3 if recycled else 1)
    assert len(rest) >= 1  # the master


WSGI = """
def app(environ, start_response):
    compute(0.05)
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        compute(0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_uvicorn_knows_nothing_of_us_and_loses_nothing_at_its_end(tmp_path, workers):
    """It dies of SIGTERM, which it raises again."""
    pytest.importorskip("uvicorn")
    (tmp_path / "app.py").write_text(BUSY + ASGI)
    port = servers.free_port()
    words = ["-m", "flamespan.profiler", "run", "-q", "-m", "uvicorn", "--workers", str(workers)]
    with serving(tmp_path, [*words, "--port", str(port), "app:app"], port):
        wait_for_a_flush(tmp_path / "profiles", workers + (workers > 1))
        assert set(servers.at_once(port, *["/"] * 20, clients=8)) == {200}
    assert 1 <= len(computing(tmp_path / "profiles")[0]) <= workers
    paths = (tmp_path / "profiles").glob("*.fspan")
    assert {recordings.read(path).end.reason for path in paths} == {"exit"}
    functions = load(tmp_path / "profiles").functions().set_index("function")
    assert functions.loc["compute", "total_ns"] > 0.8e9  # of 20 × 0.05 s at least


def wait_for_a_flush(where, processes):
    """Until so many processes have written what they did at first."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        paths = list(where.glob("*.fspan"))
        if len(paths) == processes and all(recordings.read(path).samples for path in paths):
            return
        time.sleep(0.05)
    raise AssertionError(f"{processes} processes do not record")


def test_only_the_owner_may_read(tmp_path):
    with profiler.Profiler(tmp_path / "prof", 100) as recording:
        pass
    assert stat.S_IMODE(os.stat(tmp_path / "prof").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(recording.path).st_mode) == 0o600


def test_the_oldest_closed_files_go_first(tmp_path):
    paths = []
    for number in range(4):
        with profiler.Profiler(tmp_path, 100, service=f"s{number}") as recording:
            sum(range(10**5))
        paths.append(recording.path)
        os.utime(recording.path, (number, number))
    sizes = [path.stat().st_size for path in paths]
    (tmp_path / "notes.txt").write_text("x" * 10**6)
    assert folder.trim(str(tmp_path), sum(sizes[2:])) == 2
    assert sorted(tmp_path.glob("*.fspan")) == sorted(paths[2:])
    assert (tmp_path / "notes.txt").exists()


def test_a_file_that_is_being_written_stays(tmp_path):
    with profiler.Profiler(tmp_path, 100) as recording:
        assert folder.trim(str(tmp_path), 0) == 0
        assert recording.path.exists()
    assert folder.trim(str(tmp_path), 0) == 1


def test_a_recording_keeps_its_folder_small(tmp_path, monkeypatch):
    monkeypatch.setattr("flamespan.profiler.recorder.TRIM_S", 0.0)
    with profiler.Profiler(tmp_path, 1000, max_file_bytes=2000, max_folder_bytes=20_000):
        for number in range(30):
            exec(
                compile(
                    f"def f{number}():\n    sum(range(10**6))\nf{number}()", f"<{number}>", "exec"
                )
            )
            profiler.flush()
    left = sum(path.stat().st_size for path in tmp_path.glob("*.fspan"))
    assert 0 < left < 30_000
    assert load(tmp_path).total_ns > 0
    with pytest.raises(UsageError, match="max_folder_bytes"):
        profiler.Profiler(tmp_path, max_folder_bytes=-1)
