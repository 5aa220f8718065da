"""OpenTelemetry's SDK as the page has it; its own instrumentation of FastAPI where it is there."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flamespan import profiler
from helpers import doors, marked
from helpers.marked import needs_native, work

pytest.importorskip("opentelemetry.sdk")
from opentelemetry import context, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from flamespan.profiler.integrations import opentelemetry


@pytest.fixture(scope="module")
def tracer(tmp_path_factory):
    """The provider and the hooks of the page's code, and no longer its recording."""
    code = doors.snippet("opentelemetry.md").replace('"profiles/"', "folder")
    exec(code, {"folder": tmp_path_factory.mktemp("page")})
    profiler.stop()
    opentelemetry.instrument()  # a second time changes nothing
    return trace.get_tracer("test")


@pytest.fixture
def recorded(tmp_path, tracer):
    profiler.start(tmp_path, rate_hz=200)

    def finish():
        profiler.stop()
        return doors.read(tmp_path)

    yield finish
    profiler.stop()


def test_spans_are_ours(recorded, tracer):
    with tracer.start_as_current_span("GET", kind=SpanKind.SERVER) as server:
        server.set_attribute("http.request.method", "GET")
        assert profiler.current_span().name == "GET"
        with tracer.start_as_current_span("select", kind=SpanKind.CLIENT) as query:
            query.set_attributes({"db.system": "sqlite", "db.statement": "select ?"})
        server.update_name("GET /users/{id}?x=1")
        server.set_attributes({"http.route": "/users/{id}", "http.response.status_code": 404})
        server.set_attribute("url.query", "secret")
    assert profiler.current_span() is None
    with pytest.raises(KeyError), tracer.start_as_current_span("job"):
        raise KeyError
    record = recorded()
    assert record.counts() == {
        ("GET /users/{id}", "http.server", "not_found"): 1,
        ("job", "internal", "error"): 1,
    }
    ids = server.get_span_context()
    assert record.only("GET /users/{id}").tags == {
        "trace_id": f"{ids.trace_id:032x}",
        "span_id": f"{ids.span_id:016x}",
        "http.method": "GET",
        "http.status_code": "404",
        "route": "/users/{id}",
    }
    query_told = record.only("select ?")
    assert (query_told.op, query_told.root.name) == ("db.query", "GET /users/{id}")
    assert query_told.tags["span_id"] == f"{query.get_span_context().span_id:016x}"


def test_ended_elsewhere_and_remote_parents(recorded, tracer):
    span = tracer.start_span("moved")
    token = context.attach(trace.set_span_in_context(span))
    headers = {}
    propagate.inject(headers)
    context.detach(token)
    assert profiler.current_span() is None
    thread = threading.Thread(target=span.end)
    thread.start()
    thread.join()
    remote = propagate.extract(headers)
    with tracer.start_as_current_span("consumer", context=remote, kind=SpanKind.CONSUMER) as mine:
        mine.set_status(Status(StatusCode.ERROR))
    record = recorded()
    assert record.counts() == {("moved", "internal", "ok"): 1, ("consumer", "consumer", "error"): 1}
    assert record.only("consumer").tags["parent_span_id"] == record.only("moved").tags["span_id"]
    assert record.only("consumer").tags["trace_id"] == record.only("moved").tags["trace_id"]


def test_inside_of_ours_and_ours_inside(recorded, tracer):
    with profiler.transaction("ours"), tracer.start_as_current_span("theirs"):
        with profiler.span("mine"), tracer.start_as_current_span("inner"):
            pass
        with tracer.start_as_current_span("new", context=context.Context()):
            pass
    record = recorded()
    assert {s.root.name for s in record.spans} == {"ours", "new"}
    assert record.only("inner").parent.op == "mine"
    assert record.only("theirs").parent.name == "ours"


def test_samples_are_of_the_active_span(tmp_path, tracer):
    needs_native()

    async def task(name):
        with tracer.start_as_current_span(name):
            await asyncio.sleep(0)
            work(name)
            with tracer.start_as_current_span("b"):
                await asyncio.sleep(0)
                work(name, "b")
            await asyncio.sleep(0)
            work(name)

    def thread(name, inside):
        token = context.attach(inside)
        work(name, "c")
        context.detach(token)
        work(marked.NOBODY)

    async def main():
        await asyncio.gather(*(task(name) for name in ("1", "2", "3")))

    def record():
        with profiler.Profiler(tmp_path, rate_hz=500) as session:
            asyncio.run(main())
            root = tracer.start_span("4")
            child = tracer.start_span("c", context=trace.set_span_in_context(root))
            inside = trace.set_span_in_context(child)
            one = threading.Thread(target=thread, args=("4", inside))
            one.start()
            one.join()
            child.end()
            root.end()
        return marked.recordings.read(session.path)

    marked.prove(record, "1", "2", "3", "1 b", "2 b", "3 b", "4 c")
