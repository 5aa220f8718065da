"""The Django page's app: async on uvicorn, and its WSGI side on gunicorn."""

from __future__ import annotations

import pytest

from helpers import doors, servers
from helpers.marked import needs_native
from helpers.servers import at_once, get

pytest.importorskip("django")


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_django(tmp_path, server):
    needs_native()
    pytest.importorskip(server)
    doors.lay_out(tmp_path, "django.md")
    port = servers.free_port()
    command = {
        "uvicorn": ["-m", "uvicorn", "app:application", "--port", str(port)],
        "gunicorn": ["-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--threads=4"],
    }[server]
    command += ["app:wsgi_application"] if server == "gunicorn" else []
    # Of SIGTERM uvicorn dies, past atexit; Django has no lifespan in which it would be told.
    with servers.running(tmp_path, *servers.python(*command), port=port):
        at_once(port, "/users/1/?secret=x", "/users/2/", "/report/", "/pages/", "/broken/")
        assert get(port, "/nowhere/") == 404
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {
        ("GET /users/<int:number>/", "http.server", "ok"): 2,
        ("GET /report/", "http.server", "ok"): 1,
        ("GET /pages/", "http.server", "ok"): 1,
        ("GET /broken/", "http.server", "error"): 1,
        ("GET <not found>", "http.server", "not_found"): 1,
    }
    record.check_owners(
        load_user="GET /users/<int:number>/",
        render_report="GET /report/",
        next_page="GET /pages/",
        crash_late="GET /broken/",
    )
