"""WSGI applications in their servers: names, statuses, ends, and whose samples are whose."""

from __future__ import annotations

import io
import time
from collections import Counter

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler.integrations.wsgi import Middleware
from helpers import doors
from helpers.marked import needs_native

MARKED = """
import time
from app import app
from flamespan import profiler
from helpers.marked import marker


@app.get("/work/<number>")
def work(number):
    profiler.set_tag("number", number)
    for _ in range(4):
        marker(number)(0.02)
        time.sleep(0.005)
    return number


@app.get("/broken")
def broken():
    raise LookupError("not here")
"""


@pytest.mark.parametrize("worker", ["gthread", "gevent"])
def test_flask_on_gunicorn(tmp_path, worker):
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    pytest.importorskip("gevent")
    needs_native()
    (tmp_path / "app.py").write_text(doors.snippet("flask.md"))
    (tmp_path / "marked_app.py").write_text(MARKED)
    port = doors.free_port()
    words = ["-m", "gunicorn", "-k", worker, "--threads", "8", "-b", f"127.0.0.1:{port}"]
    with doors.served(tmp_path, [*words, "marked_app:app"], port):
        paths = [f"/work/{number}" for number in range(16)]
        assert doors.ask_together(port, paths) == [200] * 16
        assert doors.ask(port, "/orders/7") == 200
        assert doors.ask(port, "/stream?secret=1") == 200
        assert doors.ask(port, "/wp-admin/setup.php") == 404
        assert doors.ask(port, "/broken") == 500
        assert doors.ask(port, "/orders/7", "POST") == 405
    profile, table = doors.recorded(tmp_path)
    assert Counter(zip(table["transaction"], table["status"], strict=True)) == {
        ("GET /work/<number>", "ok"): 16,
        ("GET /orders/<int:order>", "ok"): 1,
        ("GET /stream", "ok"): 1,
        ("GET (no route)", "not_found"): 1,
        ("GET /broken", "error"): 1,
        ("POST (no route)", "invalid_argument"): 1,
    }
    assert set(table["op"]) == {"http.server"}
    assert doors.tags_of(profile, table, "GET /broken") == [
        {
            "http.request.method": "GET",
            "http.route": "/broken",
            "http.response.status_code": "500",
        }
    ]
    found = doors.owners(profile)
    assert len(found) > 50
    assert [pair for pair in found if pair[0] != pair[1]] == []
    assert all(b"secret" not in file.read_bytes() for file in (tmp_path / "profiles").iterdir())


def answered(app, tmp_path, **environ):
    """What the application answers, asked as servers do, and its transactions."""
    statuses = []

    def start_response(status, headers, exc_info=None):
        statuses.append(status)
        return lambda data: None

    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", **environ}
    with profiler.Profiler(tmp_path, 100):
        body = app(asked, start_response)
        try:
            chunks = list(body)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
    return chunks, statuses, load(tmp_path).transactions(instances=True)


def test_a_streamed_body_is_part_of_its_request(tmp_path):
    closed = []

    class Body:
        def __iter__(self):
            for _ in range(3):
                time.sleep(0.03)
                yield b"x"

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Body()

    chunks, _, table = answered(Middleware(app), tmp_path)
    assert chunks == [b"x"] * 3
    assert closed == [True]
    assert table["duration_ns"][0] > 80_000_000


def test_a_body_that_fails_is_an_error_although_it_began_well(tmp_path):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"x"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        answered(Middleware(app), tmp_path)
    assert load(tmp_path).transactions(instances=True)["status"].tolist() == ["error"]


def test_one_request_in_two_middlewares_is_one_transaction(tmp_path):
    def app(environ, start_response):
        start_response("204 No Content", [])
        return []

    _, statuses, table = answered(Middleware(Middleware(app)), tmp_path)
    assert statuses == ["204 No Content"]
    assert table["transaction"].tolist() == ["GET (no route)"]


def test_who_knows_the_route_names_the_transaction(tmp_path):
    def app(environ, start_response):
        profiler.set_transaction_name("GET /orders/{order}")
        start_response("200 OK", [])
        return [b""]

    _, _, table = answered(Middleware(app), tmp_path / "named")
    assert table["transaction"].tolist() == ["GET /orders/{order}"]
    routed = Middleware(app, route=lambda environ: "/" + environ["wanted"])
    _, _, table = answered(routed, tmp_path / "routed", wanted="it")
    assert table["transaction"].tolist() == ["GET /it"]


def test_a_servers_own_way_of_sending_files_is_kept(tmp_path):
    from wsgiref.util import FileWrapper

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"abc"))

    kinds = []

    class Wrapper(FileWrapper):
        def __init__(self, *args):
            super().__init__(*args)
            kinds.append(self)

    with profiler.Profiler(tmp_path, 100):
        asked = {"REQUEST_METHOD": "GET", "wsgi.file_wrapper": Wrapper}
        body = Middleware(app)(asked, lambda *args: lambda data: None)
        assert body is kinds[0]
        assert b"".join(body) == b"abc"
        body.close()
    assert load(tmp_path).transactions(instances=True)["status"].tolist() == ["ok"]


def test_a_method_that_is_none_is_not_kept(tmp_path):
    def app(environ, start_response):
        start_response("400 Bad Request", [])
        return [b""]

    _, _, table = answered(Middleware(app), tmp_path, REQUEST_METHOD="X" * 5000)
    assert table["transaction"].tolist() == ["(other) (no route)"]
