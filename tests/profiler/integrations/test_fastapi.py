"""The FastAPI page's app on uvicorn."""

from __future__ import annotations

import asyncio
import socket

import pytest

from helpers import doors, servers
from helpers.marked import needs_native

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")
websockets = pytest.importorskip("websockets")


async def visit(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        answers = await asyncio.gather(
            client.get("/users/1?secret=x"),
            client.get("/users/2"),
            client.post("/reports/may"),
            client.get("/pages"),
            client.get("/broken"),
            client.get("/nowhere/7"),
            client.put("/pages"),
        )
        assert [a.status_code for a in answers] == [200, 200, 200, 200, 500, 404, 405]
        async with websockets.connect(f"ws://127.0.0.1:{port}/chat/blue") as chat:
            await chat.send("hello")
            assert await chat.recv() == "greet"


def leave_early(port):
    """Ask for a stream, and go away when it begins."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(b"GET /pages HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(10)


def test_fastapi_on_uvicorn(tmp_path):
    needs_native()
    doors.lay_out(tmp_path, "fastapi.md")
    port = servers.free_port()
    server = servers.python("-m", "uvicorn", "app:app", "--port", str(port))
    with servers.running(tmp_path, *server, port=port):
        asyncio.run(visit(port))
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {
        ("GET /users/{number}", "http.server", "ok"): 2,
        ("POST /reports/{name}", "http.server", "ok"): 1,
        ("shop.send_mail", "task.background", "ok"): 1,
        ("GET /pages", "http.server", "ok"): 1,
        ("GET /broken", "http.server", "error"): 1,
        ("GET <not found>", "http.server", "not_found"): 1,
        ("PUT /pages", "http.server", "invalid_argument"): 1,
        ("WS /chat/{room}", "websocket.server", "ok"): 1,
    }
    report, mail = record.only("POST /reports/{name}"), record.only("shop.send_mail")
    assert report.end_ns <= mail.start_ns
    assert report.tags == {
        "http.method": "POST",
        "http.status_code": "200",
        "route": "/reports/{name}",
    }
    record.check_owners(
        load_user="GET /users/{number}",
        render_report="POST /reports/{name}",
        send_mail="shop.send_mail",
        next_page="GET /pages",
        crash_late="GET /broken",
        greet="WS /chat/{room}",
    )


def test_a_client_that_goes_away(tmp_path):
    needs_native()
    doors.lay_out(tmp_path, "fastapi.md")
    app = tmp_path / "app.py"
    app.write_text(app.read_text().replace("range(3)", "range(40)"))
    port = servers.free_port()
    server = servers.python("-m", "uvicorn", "app:app", "--port", str(port))
    with servers.running(tmp_path, *server, port=port):
        leave_early(port)
    record = doors.read(tmp_path / "profiles")
    assert record.counts() == {("GET /pages", "http.server", "cancelled"): 1}
