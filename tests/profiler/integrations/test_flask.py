"""The Flask page's app on gunicorn, with threads and with gevent."""

from __future__ import annotations

import pytest

from helpers import doors, servers
from helpers.marked import needs_native
from helpers.servers import at_once, get

pytest.importorskip("gunicorn")
pytest.importorskip("flask")


@pytest.mark.parametrize("worker", ["gthread", "gevent"])
def test_flask_on_gunicorn(tmp_path, worker):
    needs_native()
    if worker == "gevent":
        pytest.importorskip("gevent")
    doors.lay_out(tmp_path, "flask.md")
    port = servers.free_port()
    server = [
        "-m",
        "gunicorn",
        "-b",
        f"127.0.0.1:{port}",
        "-k",
        worker,
        "--threads",
        "4",
        "app:app",
    ]
    with servers.running(tmp_path, *servers.python(*server), port=port):
        at_once(port, "/users/1?secret=x", "/users/2", "/report", "/pages", "/broken", "/users/3")
        assert get(port, "/nowhere/7") == get(port, "/nowhere/8") == 404
        assert get(port, "/report", "POST") == get(port, "/report", "HEAD") == 200
        assert get(port, "/report", "OPTIONS") == 200
        assert get(port, "/report", "DELETE") == 405
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {
        ("GET /users/<int:number>", "http.server", "ok"): 3,
        ("GET /report", "http.server", "ok"): 1,
        ("POST /report", "http.server", "ok"): 1,
        ("HEAD /report", "http.server", "ok"): 1,
        ("OPTIONS /report", "http.server", "ok"): 1,
        ("DELETE <no route>", "http.server", "invalid_argument"): 1,
        ("GET /pages", "http.server", "ok"): 1,
        ("GET /broken", "http.server", "error"): 1,
        ("GET <not found>", "http.server", "not_found"): 2,
    }
    broken = record.only("GET /broken")
    assert broken.tags == {"http.method": "GET", "http.status_code": "500", "route": "/broken"}
    record.check_owners(
        load_user="GET /users/<int:number>", next_page="GET /pages", crash_late="GET /broken"
    )
    raw = b"".join(path.read_bytes() for path in (tmp_path / "profiles").glob("*.fspan"))
    assert b"secret" not in raw
