"""pprof files as other producers write them."""

from __future__ import annotations

import gzip

import pytest

from flamespan.aggregator import load
from flamespan.aggregator.importing import detect, import_file
from flamespan.aggregator.protobuf import block, integer, packed, text
from flamespan.profiler.errors import SampleFileError
from helpers.imports import names, read_or_refuse, rows

WORDS = [
    "", "samples", "count", "cpu", "nanoseconds", "main", "f", "a.go", "inlined", "tid", "wall",
    "bytes", "thread name", "worker", "space",
]  # fmt: skip


def word(text_):
    return WORDS.index(text_)


def profile(tmp_path, *parts, types=(("samples", "count"), ("cpu", "nanoseconds")), packing=True):
    """Functions 10 main, 11 f, 12 inlined; locations 1: main:3, 2: f:5 with inlined:6 in it."""
    own = [block(1, integer(1, word(kind)) + integer(2, word(unit))) for kind, unit in types]
    own += [
        block(5, integer(1, number) + integer(2, word(name)) + integer(4, word("a.go")))
        for number, name in ((10, "main"), (11, "f"), (12, "inlined"))
    ]
    own.append(block(4, integer(1, 1) + block(4, integer(1, 10) + integer(2, 3))))
    lines = block(4, integer(1, 12) + integer(2, 6)) + block(4, integer(1, 11) + integer(2, 5))
    own.append(block(4, integer(1, 2) + lines))
    own.append(block(4, integer(1, 3) + integer(3, 0xBEEF)))
    data = b"".join([*own, *parts, *(text(6, string) for string in WORDS)])
    path = tmp_path / "x.pb.gz"
    path.write_bytes(gzip.compress(data) if packing else data)
    return path


def sample(locations, values, *labels):
    return block(2, packed(1, locations) + packed(2, values) + b"".join(labels))


@pytest.mark.parametrize("packing", [True, False])
def test_inlined_functions_native_addresses_and_default_values(tmp_path, packing):
    path = profile(tmp_path, sample([2, 1], [1, 30]), sample([3, 1], [2, 40]), packing=packing)
    assert detect(path.read_bytes()) == "pprof"
    assert rows(read_or_refuse(path)) == [
        ([("main", "a.go", 0, 3), ("f", "a.go", 0, 5), ("inlined", "a.go", 0, 6)], 30),
        ([("main", "a.go", 0, 3), ("0xbeef", "", 0, 0)], 40),
    ]


def test_repeated_numbers_need_not_be_packed(tmp_path):
    unpacked = b"".join(integer(1, n) for n in (2, 1)) + integer(2, 1) + integer(2, 30)
    assert names(read_or_refuse(profile(tmp_path, block(2, unpacked)))) == {"main;f;inlined": 30}


def test_wall_is_weighed_and_cpu_kept_beside_it(tmp_path):
    types = (("cpu", "nanoseconds"), ("wall", "nanoseconds"))
    loaded = load(profile(tmp_path, sample([1], [3, 8]), types=types))
    assert (loaded.total_ns, loaded.clock("cpu").total_ns) == (8, 3)


def test_counts_stand_for_the_period(tmp_path):
    period = block(11, integer(1, word("cpu")) + integer(2, word("nanoseconds")))
    types = (("samples", "count"),)
    path = profile(tmp_path, period, integer(12, 5_000_000), sample([1], [3]), types=types)
    assert load(path).total_ns == 15_000_000
    assert load(profile(tmp_path, sample([1], [3]), types=types), unit_ns=7).total_ns == 21
    assert any("--unit" in note for note in load(path.parent / path.name).processes[0].notes) is (
        True
    )


def test_threads_by_their_labels(tmp_path):
    worker = block(3, integer(1, word("thread name")) + integer(2, word("worker")))
    number = block(3, integer(1, word("tid")) + integer(3, 42))
    path = profile(tmp_path, sample([1], [1, 5], worker, number), sample([1], [1, 6]))
    threads = load(path).tables.threads
    assert [(t.name, t.native_id) for t in threads] == [("worker", 42), ("", 0)]


@pytest.mark.parametrize(
    ("parts", "types", "reason"),
    [
        ([sample([9], [1, 1])], None, "location 9 is not defined"),
        ([sample([1], [1])], None, "1 values of 2"),
        ([sample([1], [1, -4])], None, "a negative weight"),
        ([block(4, integer(1, 5) + block(4, integer(1, 99)))], None, "function 99 is not defined"),
        ([sample([1], [1])], [("space", "bytes")], "no time in it, but space"),
        ([], None, "holds no samples"),
        ([b"\x12\xff"], None, "cut off|a block of"),
        ([block(9, b"x")], None, "wrong kind"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, parts, types, reason):
    path = profile(tmp_path, *parts, **({"types": types} if types else {}))
    with pytest.raises(SampleFileError, match=reason) as caught:
        import_file(path, "pprof")
    assert str(path) in str(caught.value)


def test_a_small_file_cannot_make_a_large_profile(tmp_path):
    """One location with many inlined lines, used again and again."""
    lines = block(4, integer(1, 10)) * 20_000
    location = block(4, integer(1, 7) + lines)
    many = [sample([7] * n, [1, 1]) for n in range(1, 200)]
    with pytest.raises(SampleFileError, match="more frames than"):
        load(profile(tmp_path, location, *many))
