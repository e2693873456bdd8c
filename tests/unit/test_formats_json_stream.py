from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidInput
from memgraph.services.ingest.formats import json_stream
from memgraph.services.ingest.formats.json_stream import Raw, parse, raw_records, split
from memgraph.services.ingest.formats.records import Problem

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)
LAYOUTS = st.fixed_dictionaries(
    {
        "indent": st.none() | st.integers(0, 3) | st.just("\t"),
        "separators": st.sampled_from([None, (",", ":"), (" , ", " : "), (",\r\n", ":")]),
        "ensure_ascii": st.booleans(),
    }
)
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=20)


def chunked(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Divide into chunks of the given sizes, over and over."""
    at = 0
    while at < len(data):
        for size in sizes:
            yield data[at : at + size]
            at += size


def encode(value: Any, **layout: Any) -> bytes:
    return json.dumps(value, **layout).encode("utf-8", "surrogatepass")


def raws(items: Iterable[Raw | Problem]) -> list[Raw]:
    found = list(items)
    assert not [item for item in found if isinstance(item, Problem)]
    return [item for item in found if isinstance(item, Raw)]


def rules(items: Iterable[Raw | Problem]) -> list[str]:
    return [f"{i.position}: {i.error.rule}" for i in items if isinstance(i, Problem)]


def offset(data: bytes, raw: Raw) -> int:
    """The place in the file of a line and column."""
    lines = data.split(b"\n")[: raw.line - 1]
    return sum(len(line) + 1 for line in lines) + raw.column - 1


@PATIENT
@given(st.lists(VALUES), LAYOUTS, SIZES)
def test_any_array_in_any_chunks_is_what_json_reads(
    array: list[Any], layout: dict[str, Any], sizes: list[int]
) -> None:
    data = encode(array, **layout)
    found = raws(split(chunked(data, sizes)))
    assert [json.loads(raw.data) for raw in found] == json.loads(data)
    assert [raw.number for raw in found] == list(range(1, len(array) + 1))
    for raw in found:
        assert data.startswith(raw.data, offset(data, raw))


@PATIENT
@given(st.lists(VALUES), st.sampled_from(["\n", "\r\n", "\n\n \n"]), st.booleans(), SIZES)
def test_any_lines_in_any_chunks_are_what_json_reads(
    records: list[Any], end: str, is_ended: bool, sizes: list[int]
) -> None:
    # A first line that opens an array would be one.
    lines = ["{}", *(json.dumps(record, ensure_ascii=False) for record in records)]
    text = end.join(lines) + (end if is_ended else "")
    data = text.encode("utf-8", "surrogatepass")
    found = raws(split(chunked(data, sizes)))
    assert [json.loads(raw.data) for raw in found] == [{}, *records]
    for raw in found:
        assert data.startswith(raw.data, offset(data, raw))


@PATIENT
@given(st.lists(OBJECTS), LAYOUTS, SIZES, st.data())
def test_a_truncated_array_gives_the_whole_records_before_and_one_problem(
    array: list[Any], layout: dict[str, Any], sizes: list[int], data: st.DataObject
) -> None:
    whole = encode(array, **layout)
    part = whole[: data.draw(st.integers(1, len(whole) - 1))]
    *good, last = split(chunked(part, sizes))
    assert [json.loads(raw.data) for raw in raws(good)] == array[: len(good)]
    assert isinstance(last, Problem)
    assert last.error.rule == "the file ends before its array is closed"


@PATIENT
@given(st.binary(), SIZES)
def test_no_bytes_break_it(data: bytes, sizes: list[int]) -> None:
    for start in (b"", b"[", b"[{", b'{\n\n"'):
        for item in split(chunked(start + data, sizes)):
            if isinstance(item, Raw):
                try:
                    parse(item)
                except InvalidInput as error:
                    assert error.field == "record"


@pytest.mark.parametrize("indent", [1, "\t"])
def test_a_single_pretty_printed_object_is_one_record(indent: int | str) -> None:
    record = {"a": [1, {"b": "}\n"}], "c": "é"}
    [raw] = raws(split([b"\n", encode(record, indent=indent)]))
    assert (parse(raw), raw.line, raw.column) == (record, 2, 1)


def test_a_truncated_object_is_one_problem() -> None:
    assert rules(split([b'{\n "a": [1,\n'])) == [
        "line 1, column 1: the file ends before its array is closed"
    ]


def test_a_broken_first_line_leaves_the_others() -> None:
    items = list(split([b'{\n{"a": 1}\n{"a": 2}\n']))
    assert len(items) == 3


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"[1,,2]", ["record 2 (line 1): is empty: a comma too many"]),
        (b"[1,\n2,\n]", ["record 3 (line 3): is empty: a comma too many"]),
        (b"[,1]", ["record 1 (line 1): is empty: a comma too many"]),
        (b"[1]\n\n ]", ["line 3, column 2: something follows the end of the array"]),
        (b"[1] [2]\n[3]", ["line 1, column 5: something follows the end of the array"]),
        (b"[", ["line 1, column 2: the file ends before its array is closed"]),
        (b'[{"a": 1}\n', ["line 2, column 1: the file ends before its array is closed"]),
        (b'[1,\n  {"a": [', ["line 2, column 3: the file ends before its array is closed"]),
        (b"[]", []),
        (b" [ ] \n", []),
        (b"", []),
        (b" \n\n", []),
    ],
)
def test_faults_of_an_array_are_named_with_their_place(data: bytes, expected: list[str]) -> None:
    for size in (1, 2, len(data) or 1):
        assert rules(split(chunked(data, [size]))) == expected


def test_a_record_that_is_broken_inside_leaves_the_others() -> None:
    data = b'[{"a": 1}, {"a": tru}, {"b"}, "\xff", {"a": }, "\\ud800", {"a": 2}]'
    good, bad = [], []
    for raw in raws(split([data])):
        try:
            good.append(parse(raw))
        except InvalidInput as error:
            bad.append((raw.number, error.rule))
    assert good == [{"a": 1}, {"a": 2}]
    assert [number for number, _ in bad] == [2, 3, 4, 5, 6]
    assert bad[2] == (4, "is not UTF-8 (line 1, column 32)")


def test_a_fault_is_placed_by_line_and_column_of_the_file() -> None:
    data = b'[\n  {"a": 1},\n  {"a":\n    nope}\n]'
    second = raws(split([data]))[1]
    with pytest.raises(InvalidInput, match=r"\(line 4, column \d+\)$"):
        parse(second)
    first_line = raws(split([b'{}\n  {"a": nope}\n']))[1]
    with pytest.raises(InvalidInput, match=r"is not JSON: .*\(line 2, column (9|10|11)\)$"):
        parse(first_line)


def test_no_content_is_in_the_message() -> None:
    for data in (b'{"secret": s3cret}', b'{"secret" "s3cret"}', b'{"a": "s3cret\x01"}'):
        [raw] = raws(split([data]))
        with pytest.raises(InvalidInput) as caught:
            parse(raw)
        assert "cret" not in caught.value.message


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused_and_not_followed(opening: bytes) -> None:
    deep = opening * 100_000
    closed = deep + b"1" + (b"]" if opening == b"[" else b"}") * 100_000
    for data in (b"{}\n" + deep + b"\n{}", b"{}\n" + closed + b"\n{}"):
        first, second, third = raws(split([data]))
        assert parse(first) == parse(third) == {}
        with pytest.raises(InvalidInput):
            parse(second)
    first, second, third = raws(split([b"[1," + closed + b",2]"]))
    assert (parse(first), parse(third)) == (1, 2)
    with pytest.raises(InvalidInput):
        parse(second)


@pytest.mark.parametrize("layout", [b"[%b]", b"%b"])
def test_a_record_that_is_too_large_is_skipped(
    layout: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "MAX_RECORD_BYTES", 1024**2)
    records = [b'{"a":1}', b'{"a":"' + b"x" * 1024**2 + b'\\""}', b'{"a":2}']
    data = layout % (b"," if layout.startswith(b"[") else b"\n").join(records)
    first, large, last = split(chunked(data, [100_000]))
    assert isinstance(first, Raw)
    assert isinstance(large, Problem)
    assert large.error.rule == "must not exceed 1 MiB"
    assert isinstance(last, Raw)
    assert parse(last) == {"a": 2}
    assert last.number == 3


@pytest.mark.parametrize("separator", [b",\n", b"\n"])
def test_memory_stays_flat(separator: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_RECORD_BYTES", 200_000)
    record = b'{"a": "' + b"x" * 1_000 + b'"}'
    huge = b'{"a": "' + b"y" * 4_000_000 + b'"}'

    def chunks() -> Iterator[bytes]:
        if separator.startswith(b","):
            yield b"["
        for _ in range(100):
            yield separator.join([record] * 100) + separator
        yield from chunked(huge, [100_000])
        yield separator + record
        if separator.startswith(b","):
            yield b"]"

    tracemalloc.start()
    try:
        number = sum(1 for _ in split(chunks()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert number == 10_002
    assert peak < 2_000_000


def test_files_may_be_compressed_and_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf\n[{"a": 1}, {"a": 2}]'
    path = tmp_path / "records.json"
    path.write_bytes(data)
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(data[:9]) + gzip.compress(data[9:]))
    for file in (path, packed):
        assert [parse(raw) for raw in raws(raw_records(file))] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("damage", ["truncated", "changed", "trailer"])
def test_a_damaged_gzip_file_gives_what_came_before(tmp_path: Path, damage: str) -> None:
    lines = b"".join(b'{"a": %d}\n' % number for number in range(50_000))
    packed = gzip.compress(lines)
    middle = len(packed) // 2
    if damage == "truncated":
        packed = packed[:middle]
    elif damage == "changed":
        packed = packed[:middle] + b"\xff" * 64 + packed[middle + 64 :]
    else:
        packed = packed[:-8] + b"\x00" * 8
    path = tmp_path / "records.jsonl.gz"
    path.write_bytes(packed)
    *good, last = raw_records(path)
    assert len(good) > 1_000
    assert [parse(raw)["a"] for raw in raws(good)[:1_000]] == list(range(1_000))
    assert isinstance(last, Problem)
    assert last.error.rule.endswith("it is damaged")


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be opened") as caught:
            list(raw_records(path))
        assert caught.value.field == path.name
