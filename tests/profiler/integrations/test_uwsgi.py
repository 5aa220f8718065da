"""The uWSGI page's app in workers of uWSGI, where that is installed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig

import pytest

from helpers import doors, servers
from helpers.marked import needs_native


def uwsgi():
    beside = os.path.dirname(sys.executable)
    path = shutil.which("uwsgi", path=beside) or shutil.which("uwsgi")
    if path is None:
        pytest.skip("uWSGI is not installed: pip install uwsgi (it needs a C compiler)")
    version = subprocess.run(
        [path, "--python-version"], capture_output=True, text=True, timeout=60, check=False
    ).stdout.strip()
    if version != platform.python_version():
        pytest.skip(f"{path} is built for Python {version or 'none'}")
    return path


@pytest.mark.parametrize("how", ["--lazy-apps", "--py-call-osafterfork"])
def test_uwsgi(tmp_path, how):
    needs_native()
    program = uwsgi()
    doors.lay_out(tmp_path, "uwsgi.md")
    port = servers.free_port()
    command = (program, "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "2")
    command += ("--enable-threads", "--die-on-term", how, "--wsgi-file", "app.py")
    environ = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    with servers.running(tmp_path, *command, port=port, env=environ):
        asked = [f"/{page}" for page in ("user", "report", "user", "report", "user")]
        assert servers.at_once(port, *asked, clients=2) == [200] * 5
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {
        ("GET /user", "http.server", "ok"): 3,
        ("GET /report", "http.server", "ok"): 2,
    }
    record.check_owners(load_user="GET /user", render_report="GET /report")
