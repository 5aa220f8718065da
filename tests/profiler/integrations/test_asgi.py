"""ASGI applications in uvicorn: names, statuses, ends, and whose samples are whose."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
from collections import Counter

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler.integrations.asgi import Middleware
from helpers import doors
from helpers.marked import needs_native

MARKED_FASTAPI = """
import asyncio
import contextlib
import time
from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from app import app
from flamespan import profiler
from helpers.marked import marker


@app.get("/work/{number}")
async def work(number: str):
    profiler.set_tag("number", number)
    for _ in range(4):
        marker(number)(0.02)
        await asyncio.sleep(0.005)
    return number


@app.get("/plain/{number}")
def plain(number: str):
    profiler.set_tag("number", number)
    marker(number)(0.05)
    return number


@app.get("/stream")
async def stream():
    async def body():
        for _ in range(5):
            await asyncio.sleep(0.02)
            yield b"x"
    return StreamingResponse(body())


@app.get("/forever")
async def forever():
    async def body():
        while True:
            await asyncio.sleep(0.02)
            yield b"x"
    return StreamingResponse(body())


@app.get("/broken")
async def broken():
    raise LookupError("not here")


router = APIRouter(prefix="/v1")


@router.get("/users/{user}")
async def user(user: int):
    return user


app.include_router(router, prefix="/api")


async def below(request):
    return PlainTextResponse("below")


inner = FastAPI()
inner.include_router(router, prefix="/deep")
app.mount("/inner", inner)
app.mount("/sub/{tenant}", Starlette(routes=[Route("/leaf/{id}", below), Route("/other", below)]))
"""

MARKED_DJANGO = """
import asyncio
from django.http import StreamingHttpResponse
from django.urls import include, path
import app as shown
from app import app
from flamespan import profiler
from helpers.marked import marker


async def work(request, number):
    profiler.set_tag("number", number)
    for _ in range(4):
        marker(number)(0.02)
        await asyncio.sleep(0.005)
    return shown.JsonResponse({"number": number})


def plainly(request, number):
    profiler.set_tag("number", number)
    marker(number)(0.05)
    return shown.JsonResponse({"number": number})


async def stream(request):
    async def body():
        for _ in range(5):
            await asyncio.sleep(0.02)
            yield b"x"
    return StreamingHttpResponse(body())


def broken(request):
    raise LookupError("not here")


shown.urlpatterns += [
    path("work/<number>", work),
    path("plain/<number>", plainly),
    path("stream", stream),
    path("api/", include([path("users/<int:user>", broken)])),
]
"""


def uvicorn(port):
    return ["-m", "uvicorn", "--port", str(port), "--log-level", "warning", "marked_app:app"]


def test_fastapi_on_uvicorn(tmp_path):
    for package in ("fastapi", "uvicorn", "websockets"):
        pytest.importorskip(package)
    needs_native()
    (tmp_path / "app.py").write_text(doors.snippet("fastapi.md"))
    (tmp_path / "marked_app.py").write_text(MARKED_FASTAPI)
    port = doors.free_port()
    with doors.served(tmp_path, uvicorn(port), port):
        paths = [f"/work/{n}" for n in range(12)] + [f"/plain/{n}" for n in range(12, 18)]
        assert doors.ask_together(port, paths) == [200] * 18
        paths = ["/orders/7?secret=1", "/api/v1/users/1", "/inner/deep/v1/users/1"]
        paths += ["/sub/acme/leaf/1", "/sub/acme/other"]
        assert [doors.ask(port, path) for path in paths] == [200] * 5
        assert doors.ask(port, "/stream") == 200
        assert doors.ask(port, "/broken") == 500
        assert doors.ask(port, "/nowhere") == 404
        assert doors.ask(port, "/orders/7", "PUT") == 405
        talk(port, "/prices/abc")
        leave(port, "/forever")
    profile, table = doors.recorded(tmp_path)
    seen = Counter(zip(table["transaction"], table["op"], table["status"], strict=True))
    assert (
        seen.pop(("GET /forever", "http.server", "ok"), 0)
        + seen.pop(("GET /forever", "http.server", "cancelled"), 0)
        == 1
    )
    assert seen == {
        ("GET /work/{number}", "http.server", "ok"): 12,
        ("GET /plain/{number}", "http.server", "ok"): 6,
        ("GET /orders/{order}", "http.server", "ok"): 1,
        ("app.send_mail", "task.background", "ok"): 1,
        ("GET /api/v1/users/{user}", "http.server", "ok"): 1,
        ("GET /inner/deep/v1/users/{user}", "http.server", "ok"): 1,
        ("GET /sub/{tenant}/leaf/{id}", "http.server", "ok"): 1,
        ("GET /sub/{tenant}/other", "http.server", "ok"): 1,
        ("GET /stream", "http.server", "ok"): 1,
        ("GET /broken", "http.server", "error"): 1,
        ("GET (no route)", "http.server", "not_found"): 1,
        ("PUT /orders/{order}", "http.server", "invalid_argument"): 1,
        ("WEBSOCKET /prices/{symbol}", "websocket.server", "ok"): 1,
    }
    found = doors.owners(profile)
    assert len(found) > 50
    assert [pair for pair in found if pair[0] != pair[1]] == []
    durations = table.set_index("transaction")["duration_ns"]
    assert durations["GET /stream"] > 90_000_000
    assert all(b"secret" not in file.read_bytes() for file in (tmp_path / "profiles").iterdir())


def test_django_on_uvicorn(tmp_path):
    for package in ("django", "uvicorn"):
        pytest.importorskip(package)
    needs_native()
    (tmp_path / "app.py").write_text(doors.snippet("django.md"))
    (tmp_path / "marked_app.py").write_text(MARKED_DJANGO)
    port = doors.free_port()
    with doors.served(tmp_path, uvicorn(port), port):
        paths = [f"/work/{n}" for n in range(12)] + [f"/plain/{n}" for n in range(12, 18)]
        assert doors.ask_together(port, paths) == [200] * 18
        assert doors.ask(port, "/orders/7/?secret=1") == 200
        assert doors.ask(port, "/plain/") == 200
        assert doors.ask(port, "/stream") == 200
        assert doors.ask(port, "/api/users/7") == 500
        assert doors.ask(port, "/nowhere") == 404
        time.sleep(1.5)  # Django is not told that it ends
    profile, table = doors.recorded(tmp_path)
    assert Counter(zip(table["transaction"], table["status"], strict=True)) == {
        ("GET /work/<number>", "ok"): 12,
        ("GET /plain/<number>", "ok"): 6,
        ("GET /orders/<int:order>/", "ok"): 1,
        ("GET /plain/", "ok"): 1,
        ("GET /stream", "ok"): 1,
        ("GET /api/users/<int:user>", "error"): 1,
        ("GET (no route)", "not_found"): 1,
    }
    found = doors.owners(profile)
    assert len(found) > 50
    assert [pair for pair in found if pair[0] != pair[1]] == []
    assert table.set_index("transaction")["duration_ns"]["GET /stream"] > 90_000_000


def talk(port, path):
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}{path}") as websocket:
        assert websocket.recv() == path.split("/")[-1]


def leave(port, path):
    """Begin to read an answer that does not end, and go away."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read(1)
    connection.sock and connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    answer.close()


def run(app, tmp_path, scope, received=()):
    """Call the application once; what it sent, and its transactions."""
    sent = []

    async def receive():
        return received[0]

    async def send(message):
        sent.append(message["type"])

    with profiler.Profiler(tmp_path, 100):
        asyncio.run(app(scope, receive, send))
    return sent, load(tmp_path).transactions(instances=True)


def test_what_comes_after_the_body_is_not_the_requests(tmp_path):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        assert profiler.current_span() is None
        await asyncio.sleep(0.2)

    _, table = run(Middleware(app), tmp_path, {"type": "http", "method": "GET"})
    assert table["status"].tolist() == ["ok"]
    assert table["duration_ns"][0] < 150_000_000


def test_a_request_without_an_answer_was_cancelled(tmp_path):
    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.disconnect"

    gone = [{"type": "http.disconnect"}]
    _, table = run(Middleware(app), tmp_path, {"type": "http", "method": "GET"}, gone)
    assert table["status"].tolist() == ["cancelled"]


def test_lifespan_passes_through(tmp_path):
    async def app(scope, receive, send):
        assert profiler.current_span() is None
        await send({"type": "lifespan.startup.complete"})

    sent, table = run(Middleware(app), tmp_path, {"type": "lifespan"})
    assert sent == ["lifespan.startup.complete"]
    assert len(table) == 0


def test_a_websocket_ends_by_what_either_side_says(tmp_path):
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"

    lost = [{"type": "websocket.disconnect", "code": 1006}]
    _, table = run(Middleware(app), tmp_path, {"type": "websocket"}, lost)
    assert table["transaction"].tolist() == ["WEBSOCKET (no route)"]
    assert table["status"].tolist() == ["cancelled"]
