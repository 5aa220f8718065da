"""The shop on a loopback port, with a few threads that answer requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler

HOST = "127.0.0.1"
THREADS = 8


class _QuietHandler(WSGIRequestHandler):
    timeout = 30

    def log_request(self, *_: Any) -> None:
        """Say nothing of requests that went well."""


class _Server(BaseWSGIServer):
    """Werkzeug's server over a pool: its own threaded one starts a thread for every request."""

    multithread = True

    def __init__(self, app: Flask, port: int) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="shop-web")
        super().__init__(HOST, port, app, _QuietHandler)

    def process_request(self, request: socket.socket, client_address: Any) -> None:  # type: ignore[override]
        """Let a thread of the pool answer."""
        self._pool.submit(self._answer, request, client_address)

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)

    def server_close(self) -> None:
        """Close the port and let the threads finish what they have."""
        super().server_close()
        self._pool.shutdown()


@contextmanager
def serving(app: Flask, port: int) -> Iterator[int]:
    """Serve ``app`` and its worker for as long as the block runs; gives the port (0: any free)."""
    with app.extensions["shop"].worker:
        server = _Server(app, port)
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="shop-listener")
        thread.start()
        try:
            yield server.port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
