"""The local server: who gets the page, who does not, and how it ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from flamespan.profiler.errors import UsageError
from flamespan.viewer.answers import Answers
from flamespan.viewer.html import render_served
from flamespan.viewer.recordings import Recordings
from flamespan.viewer.server import PageServer
from helpers import webapp
from helpers.drawn import draw


def answers():
    return Answers(Recordings([], lambda _: draw([("main;a", 10)])))


@pytest.fixture(scope="module")
def server():
    page = PageServer(answers())
    page.serve_in_background()
    yield page
    page.stop()


def ask(server, path, host=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.port}"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_page_with_the_token(server):
    path = server.url.split(str(server.port))[1]
    status, headers, body = ask(server, path)
    assert status == 200
    assert body == render_served().encode()
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Python" not in headers["Server"]
    assert ask(server, path, method="HEAD")[2] == b""
    assert ask(server, path, method="POST")[0] == 501


def test_nothing_without_the_token_or_under_another_name(server):
    path = server.url.split(str(server.port))[1]
    for wrong in ("/", "/favicon.ico", path[:-2] + "/", path + "..", path.upper(), "/é"[:1]):
        assert ask(server, wrong)[0] == 404
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1:1"):
        status, _, body = ask(server, path, host=host)
        assert status == 403
        assert b"flamespan-data" not in body


def test_tokens_differ_and_only_this_machine_is_served():
    with PageServer(answers()) as one, PageServer(answers()) as two:
        assert one.url.split("/")[3] != two.url.split("/")[3]
        assert len(one.url.split("/")[3]) >= 32
        assert one._server.server_address[0] == "127.0.0.1"


def test_a_busy_port_is_said():
    with PageServer(answers()) as one:
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{one.port}"):
            PageServer(answers(), port=one.port)
        with pytest.raises(UsageError):
            PageServer(answers(), port=99999)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to a child works differently")
def test_interrupt_ends_quietly(tmp_path):
    file = webapp.write(tmp_path / "app.fspan")
    code = (
        "import sys; from flamespan.aggregator import load; from flamespan.viewer import server;"
        "server.serve(load(sys.argv[1]), False, on_ready=lambda u: print(u, flush=True))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = child.stdout.readline().strip()
        port = int(url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()
    assert (child.returncode, said) == (0, "")
