"""Flask: ``instrument(app)``."""

from __future__ import annotations

from typing import Any

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

    def started(*_: Any, **__: Any) -> None:
        asked = flask.request
        request, rule = asked.environ.get(KEY), asked.url_rule
        if request is not None and rule is not None:
            request.route = rule.rule

    app.wsgi_app = Middleware(app.wsgi_app)
    flask.request_started.connect(started, app)
    app.extensions[NAME] = started  # signals hold their receivers weakly
    return app
