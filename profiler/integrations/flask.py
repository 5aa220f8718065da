"""Flask: each request of an application is a transaction, named by its rule.

instrument(app)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flamespan.profiler.errors import UsageError
from flamespan.profiler.integrations import wsgi

try:
    from flask import request, request_started
except ImportError:
    raise UsageError("Flask is not installed; this is its integration: pip install flask") from None

if TYPE_CHECKING:
    from flask import Flask


def instrument(app: Flask) -> Flask:
    """Put a transaction around each request of ``app``; gives ``app`` back."""
    if not isinstance(app.wsgi_app, wsgi.Middleware):
        app.wsgi_app = wsgi.Middleware(app.wsgi_app, _route)  # type: ignore[method-assign]
        request_started.connect(_name, app, weak=False)
    return app


def _name(_: Flask, **_more: Any) -> None:
    """Flask has found the rule and is about to call what it belongs to."""
    began = request.environ.get(wsgi.KEY)
    if began is not None and request.url_rule is not None:
        began.routed(request.url_rule.rule)


def _route(environ: Any) -> None:
    """The transaction has been named when the request began."""
