"""Values that name their schema: a zero, its id in a registry in four bytes, then the value.

The wire format of Confluent's serializers and of those that do as they do. What was checked
against: https://docs.confluent.io/platform/current/schema-registry/develop/api.html. The key
of an id never gets another schema, so what was read once is kept.
"""

from __future__ import annotations

import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from memgraph.domain.errors import InvalidInput, StreamRefused, StreamUnavailable
from memgraph.sections import RegistrySettings
from memgraph.services.ingest.avro import compile_schema
from memgraph.services.ports import AsJson
from memgraph.services.stream_batches import IN_WIRE_FORMAT
from memgraph.settings import SettingsError

HEAD = struct.Struct(">cI")
MOST_SCHEMAS = 1_000
MOST_SCHEMA_BYTES = 1_024 * 1_024
UNKNOWN_FOR_S = 10.0
"""So long an id that was refused is refused without asking again."""
_NOT_FOUND = 404
_NOT_LET_IN = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class _Answered:
    """What is known of an id."""

    decode: AsJson
    until: float


class SchemaRegistry:
    """Makes JSON of values by the schemas of a registry. Threads share it."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._url = settings.url.rstrip("/")
        user, password = settings.user, settings.password.get_secret_value()
        self._client = httpx2.Client(
            auth=(user, password) if user else None,
            headers={"Accept": "application/vnd.schemaregistry.v1+json, application/json"},
            timeout=settings.timeout_s,
            trust_env=False,
            follow_redirects=False,
            verify=_trusted(settings.ca_file),
        )
        self._known: dict[int, _Answered] = {}
        self._lock = threading.Lock()

    def as_json(self, value: bytes) -> bytes:
        """Do what ``AsJson`` says. One request for a schema that is not known yet."""
        if not value.startswith(IN_WIRE_FORMAT):
            return value
        if len(value) < HEAD.size:
            raise InvalidInput("value", "ends before the id of its schema does")
        _, schema_id = HEAD.unpack_from(value)
        return self._decoder(schema_id)(value[HEAD.size :])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _decoder(self, schema_id: int) -> AsJson:
        with self._lock:
            known = self._known.get(schema_id)
        if known is not None and time.monotonic() < known.until:
            return known.decode
        try:
            answered = _Answered(_reader(self._fetch(schema_id)), float("inf"))
        except InvalidInput as error:
            answered = _Answered(_refusing(error), time.monotonic() + UNKNOWN_FOR_S)
        with self._lock:
            while len(self._known) >= MOST_SCHEMAS:
                del self._known[next(iter(self._known))]
            self._known[schema_id] = answered
        return answered.decode

    def _fetch(self, schema_id: int) -> bytes:
        try:
            with self._client.stream("GET", f"{self._url}/schemas/ids/{schema_id}") as answer:
                _check(answer.status_code)
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MOST_SCHEMA_BYTES:
                        raise InvalidInput("value", "was written with a schema that is too large")
                return body
        except httpx2.HTTPError as error:
            raise StreamUnavailable(
                "the registry of schemas does not answer", kind=type(error).__name__
            ) from None  # it holds the credentials


@contextmanager
def open_schema_registry(settings: RegistrySettings) -> Iterator[AsJson | None]:
    """What makes JSON by the configured registry; None when there is none."""
    if not settings.url:
        yield None
        return
    registry = SchemaRegistry(settings)
    try:
        yield registry.as_json
    finally:
        registry.close()


def _check(status: int) -> None:
    if status == _NOT_FOUND:
        raise InvalidInput("value", "names a schema that the registry does not have")
    if status in _NOT_LET_IN:
        raise StreamRefused(
            "the registry of schemas does not let us in; check kafka.registry", status=status
        )
    if status != 200:
        raise StreamUnavailable(f"the registry of schemas answered {status}", status=status)


def _reader(answer: bytes) -> AsJson:
    """What reads values of a schema, out of the registry's words about it."""
    try:
        told = orjson.loads(answer)
        kind, schema = told.get("schemaType", "AVRO"), told["schema"]
        references = told.get("references")
    except (orjson.JSONDecodeError, AttributeError, KeyError):
        raise StreamUnavailable(
            "the answer of the registry of schemas is none of a schema"
        ) from None
    if references:
        raise InvalidInput("value", "was written with a schema that is in several parts")
    if kind == "JSON":
        return _unchanged
    if kind == "AVRO" and isinstance(schema, str):
        return compile_schema(schema.encode())
    raise InvalidInput("value", "was written with a schema that is neither of Avro nor of JSON")


def _unchanged(value: bytes) -> bytes:
    return value


def _refusing(error: InvalidInput) -> Callable[[bytes], Any]:
    def refuse(_: bytes) -> bytes:
        raise InvalidInput(error.field, error.rule)

    return refuse


def _trusted(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise SettingsError(
            "kafka.registry.ca_file holds no certificates that can be read"
        ) from None
