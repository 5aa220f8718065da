"""What the WSGI protocol allows, called as a server calls it."""

from __future__ import annotations

import subprocess
import sys
from wsgiref.util import FileWrapper

import pytest

from flamespan import profiler
from flamespan.profiler.integrations.wsgi import Middleware
from helpers import doors


@pytest.fixture
def recorded(tmp_path):
    profiler.start(tmp_path)

    def finish():
        profiler.stop()
        return doors.read(tmp_path)

    yield finish
    profiler.stop()


def environ(method="GET", **more):
    return {"REQUEST_METHOD": method, "PATH_INFO": "/users/7", **more}


def app_of(body, status="200 OK"):
    def app(environ, start_response):
        start_response(status, [])
        return body

    return app


def answer(app, **more):
    body = app(environ(**more), lambda *_: None)
    try:
        return b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()


class Closing(list):
    closed = False

    def close(self):
        self.closed = True


def test_it_lasts_until_the_body_is_closed(recorded):
    body = Closing([b"a", b"b"])
    given = Middleware(app_of(body))(environ(), lambda *_: None)
    assert len(given) == 2
    assert list(given) == [b"a", b"b"]
    assert profiler.current_span().name == "GET <no route>"
    given.close()
    assert body.closed
    assert profiler.current_span() is None
    assert recorded().counts() == {("GET <no route>", "http.server", "ok"): 1}


def test_twice_is_once_and_the_route_may_be_told(recorded):
    app = Middleware(Middleware(app_of([b"x"])), route=lambda environ: "/users/{id}")
    assert answer(app) == b"x"
    assert answer(app, method="BREW") == b"x"
    broken = Middleware(app_of([b"x"]), route=lambda environ: environ["no such key"])
    assert answer(broken) == b"x"
    assert recorded().counts() == {
        ("GET /users/{id}", "http.server", "ok"): 1,
        ("_OTHER /users/{id}", "http.server", "ok"): 1,
        ("GET <no route>", "http.server", "ok"): 1,
    }


def test_what_the_application_says_itself_stays(recorded):
    def app(environ, start_response):
        span = profiler.current_span().transaction
        span.describe(name="mine")
        span.set_status("shed")
        start_response("503 Busy", [])
        return [b""]

    answer(Middleware(app))
    assert recorded().counts() == {("mine", "http.server", "shed"): 1}


def test_errors_in_the_call_in_the_body_and_in_close(recorded):
    def in_call(environ, start_response):
        raise KeyError

    def in_body(environ, start_response):
        start_response("200 OK", [])
        yield b"a"
        raise KeyError

    class InClose(list):
        def close(self):
            raise KeyError

    for app in (in_call, in_body, app_of(InClose([b"a"]))):
        with pytest.raises(KeyError):
            answer(Middleware(app))
        assert profiler.current_span() is None
    record = recorded()
    assert record.counts() == {("GET <no route>", "http.server", "error"): 3}
    assert record.transactions[0].tags["http.status_code"] == "500"


def test_a_stream_that_is_left(recorded):
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"a"
        yield b"b"

    for method in ("GET", "HEAD"):
        body = Middleware(app)(environ(method), lambda *_: None)
        next(body)
        body.close()
    assert recorded().counts() == {
        ("GET <no route>", "http.server", "cancelled"): 1,
        ("HEAD <no route>", "http.server", "ok"): 1,
    }


def test_a_file_stays_what_the_server_knows(recorded, tmp_path):
    (tmp_path / "page").write_bytes(b"page")
    with (tmp_path / "page").open("rb") as file:
        body = FileWrapper(file)
        app = Middleware(app_of(body))
        given = app(environ(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: None)
        assert given is body
        given.close()
        assert file.closed
    assert recorded().counts() == {("GET <no route>", "http.server", "ok"): 1}


def test_while_nothing_records_nothing_is_wrapped():
    body = [b"x"]
    assert Middleware(app_of(body))(environ(), lambda *_: None) is body


@pytest.mark.parametrize(
    ("use", "package"),
    [
        ("from flamespan.profiler.integrations.flask import instrument; instrument(None)", "flask"),
        (
            "from flamespan.profiler.integrations.starlette import instrument; instrument(None)",
            "starlette",
        ),
        ("from flamespan.profiler.integrations.celery import instrument; instrument()", "celery"),
        ("from flamespan.profiler.integrations.sentry import Integration", "sentry-sdk"),
        (
            "from flamespan.profiler.integrations.opentelemetry import instrument; instrument()",
            "opentelemetry-sdk",
        ),
        ("from flamespan.profiler.integrations.django import Middleware; Middleware(0)", "django"),
    ],
)
def test_a_missing_framework_says_how_to_install_it(use, package):
    hide = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
    keep = "import flamespan.profiler.integrations, flamespan.profiler.session\n"
    failed = subprocess.run(
        [sys.executable, "-c", keep + hide + use], capture_output=True, text=True, check=False
    )
    assert f"pip install {package}" in failed.stderr
    assert "UsageError" in failed.stderr
