"""Celery: ``instrument()`` where the application is made; each task that runs is a transaction."""

from __future__ import annotations

from typing import Any

from flamespan.profiler.active import RECORDING
from flamespan.profiler.integrations import needs
from flamespan.profiler.integrations.opened import Opened
from flamespan.profiler.spans import transaction

STATUS = {"SUCCESS": "ok", "FAILURE": "error", "RETRY": "retry", "REVOKED": "cancelled"}
"""Celery's states; others are told as they are, in small letters."""

_HELD = "_flamespan"
_UID = "flamespan"


def instrument() -> None:
    """Make each task a transaction, in prefork, threads, solo and gevent workers.

    Named by the task, op "queue.task", with the queue, the task's id and its retries as tags; no
    arguments. A second call does nothing.
    UsageError where Celery is missing.
    """
    signals = needs.load("celery.signals", "celery")
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid=_UID)
    signals.task_postrun.connect(_end, weak=False, dispatch_uid=_UID)


def _begin(task: Any = None, task_id: str = "", **_: Any) -> None:
    if RECORDING.log is None or task is None:
        return
    asked = task.request
    opened = Opened(transaction(task.name, op="queue.task"))
    delivery = asked.delivery_info or {}
    queue = delivery.get("routing_key")
    if queue:
        opened.span.set_tag("queue", queue)
    opened.span.set_tag("task_id", task_id)
    if asked.retries:
        opened.span.set_tag("retries", asked.retries)
    setattr(asked, _HELD, opened)


def _end(task: Any = None, state: str | None = None, **_: Any) -> None:
    opened = getattr(getattr(task, "request", None), _HELD, None)
    if opened is None:
        return
    setattr(task.request, _HELD, None)
    span, state = opened.span, state or ""
    if not span.status:
        span.set_status(STATUS.get(state, state.lower()))
    opened.finish()
