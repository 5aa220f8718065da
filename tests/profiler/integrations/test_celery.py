"""The Celery page's app with a real Redis, by processes and by threads; jobs without a queue."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from helpers import doors, servers
from helpers.marked import needs_native

CLIENT = """
import app
asked = [app.mail.delay("ann"), app.mail.delay("bob"), app.monthly.delay(), app.broken.delay()]
for one in asked:
    one.get(timeout=60, propagate=False)
print([one.state for one in asked])
"""


@pytest.fixture
def broker(tmp_path):
    pytest.importorskip("celery")
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here (Debian's redis-server)")
    port = servers.free_port()
    command = (program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", ".")
    folder = tmp_path / "redis"
    folder.mkdir()
    with servers.running(folder, *command, port=port):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_celery(tmp_path, broker, pool):
    needs_native()
    doors.lay_out(tmp_path, "celery.md")
    environment = {**os.environ, "BROKER": broker}
    worker = ["-m", "celery", "-A", "app", "worker", "-P", pool, "-c", "2", "--without-mingle"]
    with servers.running(
        tmp_path,
        *servers.python(*worker, "--without-gossip"),
        env={**environment, "WORKER": "1", "C_FORCE_ROOT": "1"},
    ):
        asked = subprocess.run(
            servers.python("-c", CLIENT),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert asked.stdout.split("\n")[0] == "['SUCCESS', 'SUCCESS', 'SUCCESS', 'FAILURE']", asked
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {
        ("app.mail", "queue.task", "ok"): 2,
        ("reports.monthly", "queue.task", "ok"): 1,
        ("app.broken", "queue.task", "error"): 1,
    }
    tags = record.only("app.broken").tags
    assert tags.pop("task_id")
    assert tags == {"queue": "celery"}
    record.check_owners(
        send_mail="app.mail", render_report="reports.monthly", crash_late="app.broken"
    )


def test_jobs(tmp_path):
    needs_native()
    path = doors.lay_out(tmp_path, "jobs.md", "worker.py")
    subprocess.run(servers.python(str(path)), cwd=tmp_path, check=True, timeout=60)
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {
        ("__main__.mail", "queue.task", "ok"): 1,
        ("nightly report", "queue.task", "ok"): 1,
    }
    record.check_owners(send_mail="__main__.mail", render_report="nightly report")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_for_each_job(tmp_path):
    """As RQ does: each leaves by os._exit."""
    needs_native()
    doors.lay_out(tmp_path, "jobs.md", "worker.py")
    code = """
import os, worker
from flamespan import profiler
with profiler.Profiler("profiles/"):
    for user in ("ann", "bob"):
        if os.fork() == 0:
            worker.mail(user)
            os._exit(0)
        assert os.wait()[1] == 0
"""
    subprocess.run(servers.python("-c", code), cwd=tmp_path, check=True, timeout=60)
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {("worker.mail", "queue.task", "ok"): 2}
    record.check_owners(send_mail="worker.mail")
