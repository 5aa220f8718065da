"""The uWSGI page's app in workers of uWSGI, where that is installed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time

import pytest

from helpers import doors, servers
from helpers.marked import needs_native


def uwsgi():
    beside = os.path.dirname(sys.executable)
    path = shutil.which("uwsgi", path=beside) or shutil.which("uwsgi")
    if path is None:
        pytest.skip("uWSGI is not installed: pip install pyuwsgi")
    version = subprocess.run(
        [path, "--python-version"], capture_output=True, text=True, timeout=60, check=False
    ).stdout.strip()
    if version != platform.python_version():
        pytest.skip(f"{path} is built for Python {version or 'none'}")
    return path


def served(tmp_path, *command):
    """Ask for five pages, and be told what was recorded."""
    port = servers.free_port()
    command += ("--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "2")
    command += ("--enable-threads", "--die-on-term", "--wsgi-file", "app.py")
    environ = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    with servers.running(tmp_path, *command, port=port, env=environ):
        asked = [f"/{page}" for page in ("user", "report", "user", "report", "user")]
        assert servers.at_once(port, *asked, clients=2) == [200] * 5
        # uWSGI ends a worker that has just answered past all that Python would do at its exit.
        until = time.monotonic() + 30
        while sum(t.status == "ok" for t in doors.read(tmp_path / "profiles").transactions) < 5:
            assert time.monotonic() < until
            time.sleep(0.05)
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {
        ("GET /user", "http.server", "ok"): 3,
        ("GET /report", "http.server", "ok"): 2,
    }
    record.check_owners(load_user="GET /user", render_report="GET /report")


hangs = pytest.mark.skipif(
    sys.version_info >= (3, 14),
    reason="workers of uWSGI 2.0.30 hang with --py-call-osafterfork, also without flamespan",
)


@pytest.mark.parametrize("how", ["--lazy-apps", pytest.param("--py-call-osafterfork", marks=hangs)])
def test_uwsgi(tmp_path, how):
    needs_native()
    program = uwsgi()
    doors.lay_out(tmp_path, "uwsgi.md")
    served(tmp_path, program, how)


@hangs
def test_uwsgi_as_a_python_module_under_run(tmp_path):
    needs_native()
    pytest.importorskip("pyuwsgi")
    app = doors.lay_out(tmp_path, "uwsgi.md")
    text = app.read_text()
    begin = 'profiler.start("profiles/", service="shop")\n'
    assert begin in text
    app.write_text(text.replace(begin, ""))
    run = servers.python("-m", "flamespan.profiler", "run", "-q")
    served(tmp_path, *run, uwsgi(), "--py-call-osafterfork")
