"""Values by the schemas of a registry behind a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from memgraph.adapters import schema_registry
from memgraph.adapters.schema_registry import SchemaRegistry, open_schema_registry
from memgraph.domain.errors import InvalidInput, StreamRefused, StreamUnavailable
from memgraph.sections import RegistrySettings
from memgraph.settings import SettingsError
from tests.support.avro import FakeRegistry, running_registry, wire

LONG = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}


@pytest.fixture
def served() -> Iterator[FakeRegistry]:
    with running_registry() as found:
        yield found


@pytest.fixture
def registry(served: FakeRegistry) -> Iterator[SchemaRegistry]:
    found = SchemaRegistry(RegistrySettings(url=served.url + "/apis/v7/"))
    yield found
    found.close()


def test_a_schema_is_asked_for_once(served: FakeRegistry, registry: SchemaRegistry) -> None:
    id_ = served.add(LONG)
    for n in range(5):
        assert orjson.loads(registry.as_json(wire(id_, LONG, {"n": n}))) == {"n": n}
    assert served.asked == [("/apis/v7/schemas/ids/1", None)]


def test_json_stays_as_it_is(served: FakeRegistry, registry: SchemaRegistry) -> None:
    for value in (b"", b'{"n":1}', b"[", b"\x01\0\0\0\1"):
        assert registry.as_json(value) is value
    assert served.asked == []


def test_json_may_name_its_schema(served: FakeRegistry, registry: SchemaRegistry) -> None:
    served.add("{}", schemaType="JSON")
    assert registry.as_json(b'\0\0\0\0\1{"n":1}') == b'{"n":1}'


def test_credentials_go_with_the_question(served: FakeRegistry) -> None:
    id_ = served.add(LONG)
    settings = RegistrySettings(url=served.url, user="u", password=SecretStr("p"))
    with open_schema_registry(settings) as as_json:
        assert as_json is not None
        as_json(wire(id_, LONG, {"n": 1}))
    assert served.asked == [("/schemas/ids/1", "Basic dTpw")]


def test_without_an_address_there_is_none() -> None:
    with open_schema_registry(RegistrySettings()) as as_json:
        assert as_json is None


def test_an_id_that_is_not_there_is_refused_and_asked_for_again_later(
    served: FakeRegistry, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = wire(1, LONG, {"n": 7})
    for _ in range(3):
        with pytest.raises(InvalidInput, match="does not have"):
            registry.as_json(value)
    assert len(served.asked) == 1
    monkeypatch.setattr(schema_registry, "UNKNOWN_FOR_S", -1.0)
    other = wire(2, LONG, {"n": 7})
    with pytest.raises(InvalidInput):
        registry.as_json(other)
    served.add(LONG)
    served.add(LONG)
    assert orjson.loads(registry.as_json(other)) == {"n": 7}


@pytest.mark.parametrize("status", [500, 503, 429, 302, 400])
def test_a_registry_in_trouble_is_asked_again(
    served: FakeRegistry, registry: SchemaRegistry, status: int
) -> None:
    id_ = served.add(LONG)
    served.status = status
    with pytest.raises(StreamUnavailable) as caught:
        registry.as_json(wire(id_, LONG, {"n": 1}))
    assert caught.value.facts == {"status": status}
    served.status = 0
    assert orjson.loads(registry.as_json(wire(id_, LONG, {"n": 1}))) == {"n": 1}


def test_a_registry_that_is_away_is_asked_again(
    served: FakeRegistry, registry: SchemaRegistry
) -> None:
    id_ = served.add(LONG)
    served.is_away = True
    with pytest.raises(StreamUnavailable, match="does not answer"):
        registry.as_json(wire(id_, LONG, {"n": 1}))
    served.is_away = False
    assert orjson.loads(registry.as_json(wire(id_, LONG, {"n": 1}))) == {"n": 1}


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_lets_nobody_in_ends_the_reader(
    served: FakeRegistry, registry: SchemaRegistry, status: int
) -> None:
    served.status = status
    with pytest.raises(StreamRefused, match="does not let us in"):
        registry.as_json(b"\0\0\0\0\1")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"7"])
def test_an_answer_of_something_else_is_no_answer(
    served: FakeRegistry, registry: SchemaRegistry, body: bytes
) -> None:
    served.add(LONG)
    served.body = body
    with pytest.raises(StreamUnavailable, match="none of a schema"):
        registry.as_json(b"\0\0\0\0\1\2")


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"schema": "syntax", "schemaType": "PROTOBUF"}, "neither of Avro nor of JSON"),
        ({"schema": 7}, "neither of Avro nor of JSON"),
        ({"schema": '"string"', "references": [{"name": "x"}]}, "several parts"),
        ({"schema": "nonsense"}, "no JSON"),
        ({"schema": "x" * schema_registry.MOST_SCHEMA_BYTES}, "too large"),
    ],
)
def test_a_schema_that_cannot_be_used(
    served: FakeRegistry, registry: SchemaRegistry, told: dict[str, object], rule: str
) -> None:
    served.schemas.append(told)
    with pytest.raises(InvalidInput, match=rule):
        registry.as_json(b"\0\0\0\0\1\2")


@pytest.mark.parametrize("value", [b"\0", b"\0\0\0\0"])
def test_a_value_without_a_whole_id(
    served: FakeRegistry, registry: SchemaRegistry, value: bytes
) -> None:
    with pytest.raises(InvalidInput, match="id of its schema"):
        registry.as_json(value)
    assert served.asked == []


def test_what_is_kept_is_bounded(
    served: FakeRegistry, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_registry, "MOST_SCHEMAS", 2)
    ids = [served.add(LONG) for _ in range(3)]
    for id_ in (*ids, ids[2], ids[0]):
        registry.as_json(wire(id_, LONG, {"n": 1}))
    # The third put out the first, the first the second.
    assert [path[-1] for path, _ in served.asked] == ["1", "2", "3", "1"]
    assert len(registry._known) == 2


def test_certificates_that_are_none(tmp_path: Path) -> None:
    for content in (None, "nonsense"):
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(SettingsError, match="ca_file"):
            SchemaRegistry(RegistrySettings(url="https://registry", ca_file=str(path)))
