"""``flamespan view``: the page on 127.0.0.1, behind a random token, kept by no cache."""

from __future__ import annotations

import secrets
import threading
import webbrowser
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flamespan.profiler.errors import UsageError
from flamespan.viewer.html import render_html

if TYPE_CHECKING:
    from flamespan.aggregator.profile import Profile
    from flamespan.viewer.sources import Links

ADDRESS = "127.0.0.1"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class PageServer:
    """Serves one page on this machine only, until ``close``.

    ``url`` holds a random token; whoever does not know it gets nothing, and neither does a
    request under another host name (a page of the web that resolves its name to 127.0.0.1).
    A context manager; ``serve_forever`` blocks.
    """

    def __init__(self, page: str, *, port: int = 0) -> None:
        self._page = page.encode("utf-8")
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
                status, body = answer(self.path, self.headers.get("Host", ""))
                self.send_response(status)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                kind = "text/html" if status == HTTPStatus.OK else "text/plain"
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the terminal belongs to the command."""

        return Handler

    def _answer(self, path: str, host: str) -> tuple[HTTPStatus, bytes]:
        if host not in (f"{ADDRESS}:{self.port}", f"localhost:{self.port}"):
            return HTTPStatus.FORBIDDEN, b"this page is served to this machine only\n"
        given = urlsplit(path).path.encode("utf-8", "replace")
        if not secrets.compare_digest(given, f"/{self._token}/".encode()):
            return HTTPStatus.NOT_FOUND, b"not found\n"
        return HTTPStatus.OK, self._page


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
    with PageServer(render_html(profile, links=links), port=port) as server:
        if on_ready is not None:
            on_ready(server.url)
        if open_browser:
            # Some browsers keep the call until they are closed; the page must be served then.
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
