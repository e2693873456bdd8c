"""A registry of schemas behind a socket, and events as producers of Avro write them."""

from __future__ import annotations

import io
import re
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fastavro
import orjson

Json = Any
_IS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class FakeRegistry:
    """Keeps schemas and answers as registries do; with ``status`` it answers only that."""

    url: str = ""
    schemas: list[Mapping[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths, and the credentials that came with them."""
    status: int = 0
    body: bytes | None = None
    is_away: bool = False

    def add(self, schema: Json, **more: Any) -> int:
        """Keep a schema under an id."""
        told = {"schema": schema if isinstance(schema, str) else orjson.dumps(schema).decode()}
        self.schemas.append({**told, **more})
        return len(self.schemas)

    def wire(self, event: bytes) -> bytes:
        """An event of JSON in the wire format, by a schema of its own shape."""
        said = orjson.loads(event)
        schema = _Shapes().of(said)
        return wire(self.add(schema), schema, said)

    def answer(self, path: str) -> tuple[int, bytes]:
        number = int(path.rpartition("/")[2])
        if self.status or not 0 < number <= len(self.schemas):
            return self.status or 404, b'{"error_code":40403,"message":"Schema not found"}'
        return 200, orjson.dumps(self.schemas[number - 1]) if self.body is None else self.body


def wire(schema_id: int, schema: Json, value: Json) -> bytes:
    """A value as Confluent's serializers write it."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return struct.pack(">cI", b"\0", schema_id) + buffer.getvalue()


@contextmanager
def running_registry() -> Iterator[FakeRegistry]:
    """Serve a registry without schemas."""
    registry = FakeRegistry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append((self.path, self.headers.get("Authorization")))
            if registry.is_away:
                self.close_connection = True
                return
            status, body = registry.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        registry.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()


class _Shapes:
    """The schema that a producer of such a value would have declared."""

    def __init__(self) -> None:
        self._records = 0

    def of(self, value: Json) -> Json:
        match value:
            case None:
                return "null"
            case bool():
                return "boolean"
            case int():
                return "long"
            case float():
                return "double"
            case str():
                return "string"
            case dict() if _is_record(value):
                self._records += 1
                name_of_record = f"R{self._records}"
                # Optional, as most fields of events are.
                fields = [
                    {"name": name, "type": ["null", self.of(each)]}
                    for name, each in value.items()
                    if each is not None
                ]
                return {"type": "record", "name": name_of_record, "fields": fields}
        return self._any_of([value])

    def _any_of(self, values: Sequence[Json]) -> Json:
        """A union of what they are, with one array and one map at most, as Avro wants it."""
        found: list[Json] = []
        lists = [value for value in values if isinstance(value, list)]
        maps = [value for value in values if isinstance(value, dict) and not _is_record(value)]
        if lists:
            items = [each for value in lists for each in value]
            found.append({"type": "array", "items": self._any_of(items)})
        if maps:
            inner = [each for value in maps for each in value.values()]
            found.append({"type": "map", "values": self._any_of(inner)})
        for value in values:
            if not isinstance(value, list) and value not in maps:
                schema = self.of(value)
                if schema not in found:
                    found.append(schema)
        return (found if len(found) > 1 else found[0]) if found else "string"


def _is_record(value: Mapping[str, Json]) -> bool:
    return bool(value) and all(_IS_NAME.fullmatch(name) for name in value)
