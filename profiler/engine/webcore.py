"""What requests are made of: in C where there is the C core, else in Python (``pureweb``).

``integrations/http.py`` calls ``bind_requests`` with what they need of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flamespan.profiler.engine import _native as core
else:
    try:
        from flamespan.profiler.engine import _native as core
    except ImportError:
        from flamespan.profiler.engine import pureweb as core

Request = core.Request
WsgiExchange = core.WsgiExchange
asgi_exchange = core.asgi_exchange
bind_requests = core.bind_requests
route_reader = core.route_reader
wsgi_exchange = core.wsgi_exchange
