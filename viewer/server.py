"""``flamespan view``: the page on 127.0.0.1, behind a random token, kept by no cache.

The page asks for its data piece by piece (``answers``), so recordings of any number and size can
be looked at, also while they are being written.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import traceback
import webbrowser
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flamespan.profiler.errors import FlamespanError, UsageError
from flamespan.viewer.answers import Answers
from flamespan.viewer.html import read_page_file, render_served
from flamespan.viewer.recordings import Recordings

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile
    from flamespan.viewer.sources import Links

Reply = tuple[HTTPStatus, str, bytes]
"""Status, content type and body."""

ADDRESS = "127.0.0.1"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TEXT, _PAGE, _JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"
_PACKED = "application/octet-stream"


class PageServer:
    """Serves the page and what it asks for on this machine only, until ``close``.

    ``url`` holds a random token; whoever does not know it gets nothing, and neither does a
    request under another host name (a page of the web that resolves its name to 127.0.0.1).
    ``first`` is the hash that the page begins with. A context manager; ``serve_forever`` blocks.
    """

    def __init__(self, answers: Answers, *, first: str = "", port: int = 0) -> None:
        self._answers = answers
        self._page = render_served(first).encode("utf-8")
        self._token = secrets.token_urlsafe(24)
        try:
            self._server = ThreadingHTTPServer((ADDRESS, port), self._handler())
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"cannot listen on {ADDRESS}:{port}: {reason}") from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://{ADDRESS}:{self.port}/{self._token}/"

    def serve_forever(self) -> None:
        """Answer requests until ``close`` is called or a KeyboardInterrupt comes."""
        self._server.serve_forever(poll_interval=0.2)

    def serve_in_background(self) -> None:
        """Answer requests in a thread of its own."""
        threading.Thread(target=self.serve_forever, name="flamespan-view", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()

    def stop(self) -> None:
        """End ``serve_forever`` in its other thread, then stop listening."""
        self._server.shutdown()
        self.close()

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            """One request; everything it needs is in the server's ``_answer``."""

            server_version = "flamespan"
            sys_version = ""
            timeout = 30

            def do_GET(self) -> None:
                self._reply(with_body=True)

            def do_HEAD(self) -> None:
                self._reply(with_body=False)

            def _reply(self, *, with_body: bool) -> None:
                status, kind, body = answer(self.path, self.headers.get("Host", ""))
                self.send_response(status)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the terminal belongs to the command."""

        return Handler

    def _answer(self, path: str, host: str) -> Reply:
        if host not in (f"{ADDRESS}:{self.port}", f"localhost:{self.port}"):
            said = b"this page is served to this machine only\n"
            return HTTPStatus.FORBIDDEN, _TEXT, said
        asked = urlsplit(path)
        token, _, rest = asked.path.removeprefix("/").partition("/")
        given = f"/{token}/".encode("utf-8", "replace")
        if not secrets.compare_digest(given, f"/{self._token}/".encode()):
            page = read_page_file("refused.html").encode("utf-8")
            return HTTPStatus.NOT_FOUND, _PAGE, page
        if not rest:
            # A token without the slash behind it: the page's own addresses would not be below it.
            there = asked.path.endswith("/")
            page = self._page if there else read_page_file("refused.html").encode("utf-8")
            return HTTPStatus.OK if there else HTTPStatus.NOT_FOUND, _PAGE, page
        return self._told(rest, asked.query)

    def _told(self, what: str, query: str) -> Reply:
        """The answer to a question of the page; what goes wrong is said there."""
        try:
            body = self._answers.answer(what, query)
        except FlamespanError as error:
            return HTTPStatus.UNPROCESSABLE_ENTITY, _JSON, _error(str(error))
        except Exception as error:
            # The page must hear of it, and so must whoever can mend it.
            traceback.print_exc(file=sys.stderr)
            return HTTPStatus.INTERNAL_SERVER_ERROR, _JSON, _error(f"flamespan failed: {error!r}")
        if body is None:
            return HTTPStatus.NOT_FOUND, _JSON, _error(f"there is no {what!r}")
        return HTTPStatus.OK, _PACKED, body


def _error(said: str) -> bytes:
    return json.dumps({"error": said}).encode()


def serve(
    profile: Profile,
    open_browser: bool = True,
    port: int = 0,
    on_ready: Callable[[str], None] | None = None,
    links: Links | None = None,
) -> None:
    """Show ``profile`` in the browser; blocks until Ctrl-C, which ends it quietly.

    Args:
        profile: what to show.
        open_browser: whether to open the address in the user's browser.
        port: port to listen on; 0 takes a free one.
        on_ready: called with the page's address once it can be opened.
        links: where the page opens code, and whether it holds source text.

    Raises:
        UsageError: the port cannot be listened on.
    """
    run(Recordings([], lambda _: profile), open_browser, port, on_ready, links)


def run(
    recordings: Recordings,
    open_browser: bool = True,
    port: int = 0,
    on_ready: Callable[[str], None] | None = None,
    links: Links | None = None,
) -> None:
    """Show ``recordings``, two of them side by side; else as ``serve``."""
    sides = recordings.sides()
    first = f"v=compare&base={sides[0]}&new={sides[1]}" if sides else ""
    with PageServer(Answers(recordings, links), first=first, port=port) as server:
        if on_ready is not None:
            on_ready(server.url)
        if open_browser:
            # Some browsers keep the call until they are closed; the page must be served then.
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
