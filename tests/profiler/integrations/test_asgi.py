"""What the ASGI protocol allows, and Starlette's mounts, called as a server calls it."""

from __future__ import annotations

import asyncio
import collections
import gc
import signal
import weakref

import pytest

from flamespan import profiler
from flamespan.profiler.engine import pureweb, webcore
from flamespan.profiler.integrations.asgi import Middleware
from helpers import doors, servers


@pytest.fixture
def recorded(tmp_path):
    profiler.start(tmp_path)

    def finish():
        profiler.stop()
        return doors.read(tmp_path)

    yield finish
    profiler.stop()


def call(app, kind="http", path="/", method="GET", receive=None, send=None):
    sent = []

    async def nothing():
        await asyncio.sleep(60)

    async def keep(message):
        sent.append(message)

    scope = {"type": kind, "path": path, "method": method, "headers": [], "root_path": ""}
    scope["query_string"] = b""

    async def main():
        await app(scope, receive or nothing, send or keep)
        assert profiler.current_span() is None

    asyncio.run(main())
    return sent


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    assert profiler.current_span().name == "GET <no route>"
    await send({"type": "http.response.body", "body": b"b"})
    assert profiler.current_span() is None


def test_it_lasts_until_the_body_is_sent_and_twice_is_once(recorded):
    assert len(call(Middleware(Middleware(hello, route=lambda scope: "/inner")))) == 3
    assert recorded().counts() == {("GET <no route>", "http.server", "ok"): 1}


def test_the_last_of_the_body_sent_by_another_task(recorded):
    async def app(scope, receive, send):
        await asyncio.create_task(hello(scope, receive, send))
        assert profiler.current_span() is None

    call(Middleware(app, route=lambda scope: "/x"))
    assert recorded().counts() == {("GET /x", "http.server", "ok"): 1}


def test_errors_cancelling_and_a_client_that_is_gone(recorded):
    async def fails(scope, receive, send):
        raise KeyError

    async def cancelled(scope, receive, send):
        raise asyncio.CancelledError

    async def gone(message):
        raise OSError

    with pytest.raises(KeyError):
        call(Middleware(fails))
    with pytest.raises(asyncio.CancelledError):
        call(Middleware(cancelled))
    with pytest.raises(OSError):
        call(Middleware(hello), send=gone)
    record = recorded()
    assert record.counts() == {
        ("GET <no route>", "http.server", "error"): 1,
        ("GET <no route>", "http.server", "cancelled"): 2,
    }
    # One that was given up before its answer began has no code.
    codes = [told.tags.get("http.status_code") for told in record.transactions]
    assert codes == ["500", None, "200"]


def test_websockets_that_are_taken_refused_and_broken(recorded):
    async def app(scope, receive, send):
        if scope["path"] != "/refused":
            await send({"type": "websocket.accept"})
        if scope["path"] == "/broken":
            raise KeyError
        await send({"type": "websocket.close"})

    wrapped = Middleware(app, route=lambda scope: scope["path"])
    call(wrapped, "websocket", "/taken")
    call(wrapped, "websocket", "/refused")
    with pytest.raises(KeyError):
        call(wrapped, "websocket", "/broken")
    assert recorded().counts() == {
        ("WS /taken", "websocket.server", "ok"): 1,
        ("WS /refused", "websocket.server", "permission_denied"): 1,
        ("WS /broken", "websocket.server", "error"): 1,
    }


def test_lifespan_is_nobodys_and_its_end_is_written(recorded, tmp_path):
    async def app(scope, receive, send):
        assert profiler.current_span() is None
        with profiler.transaction("before the end"):
            pass
        await send({"type": "lifespan.shutdown.complete"})

    call(Middleware(app), "lifespan")
    assert doors.read(tmp_path).counts() == {("before the end", "", "ok"): 1}
    recorded()


def test_routes_below_mounts(recorded):
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    from flamespan.profiler.integrations import starlette

    def page(request):
        return PlainTextResponse("x")

    inner = Starlette(routes=[Route("/users/{id}", page)])
    app = starlette.instrument(
        Starlette(routes=[Mount("/api/{version}", app=inner), Route("/", page)])
    )
    assert starlette.instrument(app) is app
    for path in ("/api/v1/users/7", "/", "/api/v1/nothing"):
        call(app, path=path)
    assert recorded().counts() == {
        ("GET /api/{version}/users/{id}", "http.server", "ok"): 1,
        ("GET /", "http.server", "ok"): 1,
        ("GET <not found>", "http.server", "not_found"): 1,
    }


def test_send_and_receive_are_awaited_as_coroutines_are(recorded):
    steps = []

    class Slow:
        """An awaitable that is no coroutine, and gives way twice."""

        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            steps.append("half")
            yield from asyncio.sleep(0).__await__()
            return {"type": "http.request"}

    async def app(scope, receive, send):
        assert (await asyncio.create_task(receive()))["type"] == "http.request"
        assert (await asyncio.wait_for(receive(), 5))["type"] == "http.request"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await asyncio.gather(send({"type": "http.response.body"}))

    call(Middleware(app), receive=Slow, send=lambda message: Slow())
    assert len(steps) == 4
    assert recorded().counts() == {("GET <no route>", "http.server", "ok"): 1}


def test_a_timeout_reaches_what_is_awaited_and_the_error_what_awaits(recorded):
    cleaned = []

    async def hangs():
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)

    async def raises(message):
        raise ValueError(message["type"])

    async def app(scope, receive, send):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
        with pytest.raises(ValueError, match=r"http.response.start") as caught:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        assert caught.traceback[-1].name == "raises"
        step = receive()
        step.close()
        with pytest.raises(RuntimeError, match="already awaited"):
            await step

    call(Middleware(app), receive=hangs, send=raises)
    assert cleaned == [True]
    assert recorded().counts() == {("GET <no route>", "http.server", "ok"): 1}


def test_a_server_that_dies_of_its_signal_has_written_before(tmp_path):
    """Without lifespan nobody tells the application; uvicorn then kills itself by SIGTERM."""
    pytest.importorskip("uvicorn")
    (tmp_path / "app.py").write_text(
        "from flamespan import profiler\n"
        "from flamespan.profiler.integrations.asgi import Middleware\n"
        "profiler.start('profiles', max_file_age_s=60)\n"
        "async def hello(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body'})\n"
        "app = Middleware(hello, route=lambda scope: '/')\n"
    )
    port = servers.free_port()
    command = servers.python("-m", "uvicorn", "app:app", "--port", str(port))
    with servers.running(tmp_path, *command, port=port) as program:
        for _ in range(5):
            assert servers.get(port, "/") == 200
    assert program.returncode == -signal.SIGTERM
    counts = doors.read(tmp_path / "profiles").counts()
    assert counts == {("GET /", "http.server", "ok"): 5}


def test_nothing_of_a_request_is_left_for_the_collector(recorded):
    class Message(dict):
        pass

    gone = []

    async def app(scope, receive, send):
        scope["mark"] = mark = Message()
        gone.append(weakref.ref(mark))
        await hello(scope, receive, send)

    gc.disable()
    try:
        call(Middleware(app))
        assert gone[0]() is None
    finally:
        gc.enable()


def test_a_function_that_chooses_is_told_method_and_path_which_are_not_kept(tmp_path):
    asked = []

    def choose(name, op, tags):
        asked.append((name, op, dict(tags)))
        return tags["url.path"] != "/health"

    started = profiler.start(tmp_path, transaction_sample_rate=choose)
    try:
        call(Middleware(hello, route=lambda scope: "/users/{id}"), path="/users/4711")
    finally:
        profiler.stop()
    told = {"http.method": "GET", "url.path": "/users/4711"}
    assert asked == [("GET <no route>", "http.server", told)]
    (transaction,) = doors.read(tmp_path).transactions
    assert transaction.tags == {
        "http.method": "GET",
        "route": "/users/{id}",
        "http.status_code": "200",
    }
    assert b"4711" not in started.path.read_bytes()


def test_a_route_is_read_where_it_lies_and_asked_for_where_it_does_not():
    class Found:
        path = "/users/{id}"
        number = 5

    read = webcore.route_reader(lambda held: "asked", "route", ("path",), ("mounted",))
    in_c = webcore.core is not pureweb  # Python's asks always, which gives the same
    assert read({"route": Found}) == ("/users/{id}" if in_c else "asked")
    assert read({"route": None}) == (None if in_c else "asked")
    for unfit in ({}, {"route": Found, "mounted": ""}, {"route": 5}, [], None):
        assert read(unfit) == "asked"
    for name in ("number", "missing"):
        other = webcore.route_reader(lambda held: "asked", "route", (name,), ())
        assert other({"route": Found}) == "asked"


def test_each_of_many_routes_and_codes_is_told_as_it_ended(recorded):
    codes, rounds = (200, 204, 301, 404, 503), 3
    routes = [f"/part{i}/{{id}}" for i in range(40)]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": scope["code"], "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def sink(message):
        pass

    async def main():
        wrapped = Middleware(app, route=lambda scope: scope["said"])
        for _ in range(rounds):
            for route in routes:
                for code in codes:  # the same text, and an equal one that is made anew
                    for said in (route, "".join(list(route))):
                        scope = {"type": "http", "method": "GET", "said": said, "code": code}
                        await wrapped(scope, None, sink)

    asyncio.run(main())
    ended = {200: "ok", 204: "ok", 301: "ok", 404: "not_found", 503: "error"}
    expected = collections.Counter()
    for route in routes:
        for code in codes:
            expected[f"GET {route}", "http.server", ended[code]] += 2 * rounds
    assert recorded().counts() == expected
