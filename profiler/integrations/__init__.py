"""Doors into applications: each module knows one framework, and loads it only when it is used.

``wsgi``, ``asgi``, ``flask``, ``django``, ``starlette`` (FastAPI too), ``celery``, ``job``,
``opentelemetry``, ``sentry`` and ``pytest``; docs/doors/ has a page for each.
"""
