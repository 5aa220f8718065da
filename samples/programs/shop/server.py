"""The shop on a loopback port: one thread for each connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

HOST = "127.0.0.1"


class _QuietHandler(WSGIRequestHandler):
    timeout = 30

    def log_request(self, *_: Any) -> None:
        """Say nothing of requests that went well."""


@contextmanager
def serving(app: Flask, port: int) -> Iterator[int]:
    """Serve ``app`` and its worker for as long as the block runs; gives the port (0: any free)."""
    with app.extensions["shop"].worker:
        server = make_server(HOST, port, app, threaded=True, request_handler=_QuietHandler)
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="shop-listener")
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
