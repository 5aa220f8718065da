"""Flask: ``instrument(app)``."""

from __future__ import annotations

from typing import Any

from flamespan.profiler.engine import webcore
from flamespan.profiler.integrations import needs
from flamespan.profiler.integrations.http import KEY
from flamespan.profiler.integrations.wsgi import Middleware

NAME = "flamespan"


def instrument(app: Any) -> Any:
    """Make each request of this Flask application a transaction, named by its rule.

    Gives the application back. A second call does nothing. UsageError where Flask is missing.
    """
    flask = needs.load("flask", "flask")
    if NAME in app.extensions:
        return app

    def failed(*_: Any, **__: Any) -> None:
        """An error that leaves Flask has no answer to begin; the rule is still known here."""
        environ = flask.request.environ
        request = environ.get(KEY)
        if request is not None and request.route is None:
            request.route = _rule(environ)

    route = webcore.route_reader(_rule, "werkzeug.request", ("url_rule", "rule"), ())
    app.wsgi_app = Middleware(app.wsgi_app, route=route)
    flask.got_request_exception.connect(failed, app)
    app.extensions[NAME] = failed  # signals hold their receivers weakly
    return app


def _rule(environ: dict[str, Any]) -> str | None:
    """The rule that matched, of the request that Flask has put into the environ."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return None if rule is None else str(rule.rule)
