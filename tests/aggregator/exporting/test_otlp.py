"""OTLP profiles, read with OpenTelemetry's own generated classes."""

from __future__ import annotations

import io

import pytest

from flamespan.aggregator import exporting
from flamespan.profiler.model import SpanTag
from helpers.drawn import EPOCH_NS, folded
from helpers.scenes import MS, shop

pb2 = pytest.importorskip(
    "opentelemetry.proto.profiles.v1development.profiles_pb2",
    reason="needs opentelemetry-proto with profiles (pip install 'flamespan[test]')",
)
if "stack_table" not in pb2.ProfilesDictionary.DESCRIPTOR.fields_by_name:
    pytest.skip("this opentelemetry-proto is older than the stack table", allow_module_level=True)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def profile():
    drawing = shop()
    drawing.spans.tags += [SpanTag(3, "trace_id", TRACE), SpanTag(3, "span_id", SPAN)]
    return drawing.profile()


@pytest.fixture(scope="module")
def data(profile):
    file = io.BytesIO()
    with pytest.warns(UserWarning, match="experimental"):
        exporting.write(profile, "otlp", file)
    return pb2.ProfilesData.FromString(file.getvalue())


def profiles(data):
    words = data.dictionary.string_table
    (resource,) = data.resource_profiles
    (scope,) = resource.scope_profiles
    return {words[p.sample_type.type_strindex]: p for p in scope.profiles}


def stack(data, sample):
    d = data.dictionary
    names = []
    for place in d.stack_table[sample.stack_index].location_indices:
        (line,) = d.location_table[place].lines
        names.append(d.string_table[d.function_table[line.function_index].name_strindex])
    return ";".join(reversed(names))


@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_stacks_add_up(profile, data, clock):
    found = {}
    for sample in profiles(data)[clock].samples:
        assert len(sample.values) == len(sample.timestamps_unix_nano)
        found[stack(data, sample)] = found.get(stack(data, sample), 0) + sum(sample.values)
    assert found == {s: ns for s, ns in folded(profile.clock(clock)).items() if ns}


def test_row_0_of_every_table_is_unset(data):
    d = data.dictionary
    for table in (
        d.mapping_table, d.location_table, d.function_table, d.link_table, d.attribute_table,
        d.stack_table,
    ):  # fmt: skip
        assert table[0] == type(table[0])()
    assert d.string_table[0] == ""


def test_times_threads_and_links(data):
    samples = [s for s in profiles(data)["wall"].samples if stack(data, s).endswith("walk")]
    assert [t for s in samples for t in s.timestamps_unix_nano] == [
        EPOCH_NS + t * MS for t in range(210, 300, 10)
    ]
    d = data.dictionary
    link = d.link_table[samples[0].link_index]
    assert (link.trace_id.hex(), link.span_id.hex()) == (TRACE, SPAN)
    said = {}
    for place in samples[0].attribute_indices:
        pair = d.attribute_table[place]
        said[d.string_table[pair.key_strindex]] = pair.value.string_value
    assert said == {"thread.name": "MainThread", "flamespan.transaction": "GET /slow"}
    cart = next(s for s in profiles(data)["wall"].samples if stack(data, s).endswith("render"))
    assert cart.link_index == 0
