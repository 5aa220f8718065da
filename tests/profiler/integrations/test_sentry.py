"""sentry-sdk as the page has it, with a transport that sends nothing."""

from __future__ import annotations

import pytest

from flamespan import profiler
from helpers import doors, marked
from helpers.marked import needs_native, work

sentry_sdk = pytest.importorskip("sentry_sdk")
from sentry_sdk.transport import Transport  # noqa: E402


class Dummy(Transport):
    """Keeps what would be sent."""

    sent = 0

    def capture_envelope(self, envelope):
        Dummy.sent += 1


@pytest.fixture
def recorded(tmp_path):
    code = doors.snippet("sentry.md").replace("traces_sample_rate=0.1", "traces_sample_rate=1.0")
    code = code.replace("    dsn=", "    transport=Dummy, default_integrations=False, dsn=")
    exec(code.replace('"profiles/"', "folder"), {"Dummy": Dummy, "folder": tmp_path})

    def finish():
        profiler.stop()
        return doors.read(tmp_path)

    yield finish
    profiler.stop()
    sentry_sdk.init()


def test_spans_are_ours(recorded):
    sent = Dummy.sent
    with sentry_sdk.start_transaction(name="early", op="http.server", source="url") as one:
        assert profiler.current_span().op == "http.server"
        with sentry_sdk.start_span(op="db", name="select ?") as query:
            assert profiler.current_span().op == "db"
            query.set_data("secret", "x")
        child = one.start_child(op="later", name="not entered")
        assert profiler.current_span().op == "http.server"
        child.finish()
        one.set_http_status(404)
        sentry_sdk.get_current_scope().set_transaction_name("GET /users/{id}", source="route")
    assert profiler.current_span() is None
    with pytest.raises(KeyError), sentry_sdk.start_transaction(name="job", op="queue.task"):
        raise KeyError
    with sentry_sdk.start_transaction(name="/users/7", op="http.server", source="url"):
        pass
    record = recorded()
    assert Dummy.sent >= sent + 3
    assert record.counts() == {
        ("GET /users/{id}", "http.server", "not_found"): 1,
        ("job", "queue.task", "error"): 1,
        ("<no route>", "http.server", "ok"): 1,
    }
    first = record.only("GET /users/{id}")
    assert first.tags == {
        "trace_id": one.trace_id,
        "span_id": one.span_id,
        "http.status_code": "404",
    }
    spans = {s.description: (s.op, s.status, s.parent) for s in record.spans if s.parent}
    assert spans == {"select ?": ("db", "ok", first), "not entered": ("later", "ok", first)}


def test_samples_are_of_the_active_span(recorded, tmp_path):
    needs_native()
    profiler.stop()

    def record():
        with profiler.Profiler(tmp_path, rate_hz=500) as session:
            for name in ("1", "2"):
                with sentry_sdk.start_transaction(name=name, op="task"):
                    work(name)
                    with sentry_sdk.start_span(op="part", name="b"):
                        work(name, "b")
                    work(name)
            work(marked.NOBODY)
        return marked.recordings.read(session.path)

    marked.prove(record, "1", "2", "1 b", "2 b")
