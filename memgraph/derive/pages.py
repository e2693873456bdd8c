"""Reference pages made from what they describe. Each is a function that returns its text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from memgraph import metrics
from memgraph.derive import drawing
from memgraph.derive.examples import resolved, tag_of
from memgraph.derive.json_schema import event_schemas
from memgraph.derive.markdown import (
    code,
    codes,
    fence,
    join,
    limits_in_words,
    link,
    prose,
    table,
    type_in_words,
)
from memgraph.domain.events import EVENT_CLASSES
from memgraph.domain.events.base import CLOCK_SKEW, EARLIEST
from memgraph.domain.schema import (
    PLACEHOLDER,
    TOMBSTONE,
    EdgeSpec,
    GraphModel,
    NodeSpec,
    PropertySpec,
)
from memgraph.domain.values import MAX_DEPTH, MAX_JSON_CHARS
from memgraph.settings import PREFIX, variables

Headers = Mapping[str, Mapping[str, str]]
"""What the headers of query files say, by query name."""

COMMAND = "python -m memgraph.derive"


def notice(source: str) -> str:
    """The first line of a generated page."""
    return f"<!-- Written by `{COMMAND}` from {source}. Change that, not this page. -->"


def pages(model: GraphModel, headers: Headers) -> dict[str, str]:
    """Every generated page by file name."""
    return {
        "data-model.md": data_model(model),
        "configuration.md": configuration(),
        "events.md": events(),
        "queries.md": queries(headers),
        "metrics.md": metrics_page(),
    }


# The data model

_MODEL_INTRO = f"""\
The graph holds these labels and relationship types. Each is declared by one class in
`memgraph/domain/nodes` or `memgraph/domain/edges.py`; statements, constraints, indexes, schemas
and this page are derived from the classes.

- A node belongs to one tenant: `tenant_id`. A key is unique within its tenant, by a constraint
  on `tenant_id` and the key.
- A **fact** (square in the drawings) is written once: the same content again is a duplicate,
  other content under the same key a conflict. Something **living** (rounded) is created by
  whoever names it first and changed by events, and per property the last writer wins. A
  **record** (double sides) is kept by a service or a job under rules of its own.
- A node that an edge names before its own event has come has the label `{PLACEHOLDER}`, its key
  and nothing else. What is left of a deleted node has the label `{TOMBSTONE}`. Questions see
  neither.
- Times are native date-times in UTC. Properties of type JSON are strings that hold JSON.
- A range index is on `tenant_id` and the property. Metadata keys that the setting
  `promoted_metadata` names become properties `metadata_<key>` with such an index.
- Lineage runs along relationships of which one end came from the other; each says which."""


def data_model(model: GraphModel) -> str:
    """The data-model page: drawings, labels with their properties, relationship types."""
    groups = drawing.grouped(model)
    drawn = drawing.drawings(model)
    sections = [
        notice("the classes in memgraph/domain"),
        "# Data model",
        _MODEL_INTRO,
        "Nodes: " + ", ".join(link(label) for labels in groups.values() for label in labels) + ".",
        "Relationships: " + ", ".join(map(link, sorted(model.edge_types))) + ".",
    ]
    for group, labels in groups.items():
        sections += [f"## {group}", fence("mermaid", drawn[group])]
        for label in labels:
            sections += _node(model.nodes[label])
    sections.append("## Relationships")
    for type_ in sorted(model.edge_types):
        sections += _relationship(model.edge_types[type_])
    return join(sections)


def _node(spec: NodeSpec) -> Iterator[str]:
    yield f"### {spec.label}"
    yield spec.description
    facts = [f"Key: {codes(spec.key or ('tenant_id',))}", f"{spec.lifecycle.capitalize()}"]
    facts.append(f"Caption: {code(spec.caption)}")
    if spec.is_hub:
        facts.append("Hub: unrelated things meet here, so lineage ends here")
    if not spec.is_content:
        facts.append("Bookkeeping: no part of digest and export")
    yield ". ".join(facts) + "."
    yield _properties(spec)


def _relationship(edges: tuple[EdgeSpec, ...]) -> Iterator[str]:
    first = edges[0]
    yield f"### {first.type}"
    yield first.description
    yield "\n".join(f"- {link(e.start)} to {link(e.end)}" for e in edges)
    lineage = {
        "end": "the start came from the end",
        "start": "the end came from the start",
        None: "none, neither end came from the other",
    }[first.upstream]
    fact = " A fact: the edge is all that its event says." if first.is_fact else ""
    yield f"Lineage: {lineage}.{fact}"
    yield _properties(first)


def _properties(spec: NodeSpec | EdgeSpec) -> str:
    key = spec.identity if isinstance(spec, NodeSpec) else ()
    return table(
        ("Property", "Type", "Unit", "Required", "Index", "Description"),
        (
            (
                code(p.name),
                codes(m.value for m in p.enum) if p.enum else _TYPE_WORDS.get(p.type, p.type),
                p.unit or "",
                "yes" if p.required or p.name in key else "",
                "key" if p.name in key else _index(p),
                p.description + _origin(p),
            )
            for p in spec.properties
        ),
    )


_TYPE_WORDS = {
    "datetime": "date-time",
    "json": "JSON",
    "strings": "list of string",
    "floats": "list of float",
}


def _index(declared: PropertySpec) -> str:
    kinds = ["range"] if declared.index else []
    kinds += ["full text"] if declared.fulltext else []
    kinds += [f"vector, {declared.vector} dimensions"] if declared.vector else []
    return ", ".join(kinds)


def _origin(declared: PropertySpec) -> str:
    if declared.internal:
        return " *Kept by the writer.*"
    return " *Added by enrichment.*" if declared.enriched else ""


# Settings

_CONFIGURATION_INTRO = f"""\
Settings come from environment variables and, where a command is given `--config FILE`, from a
TOML file. The environment overrules the file. A name that is not listed here is an error.

- A variable with `_FILE` at its end names a file that holds the value, as
  `{PREFIX}NEO4J__PASSWORD_FILE` does.
- Lists and tables are given as JSON in a variable.
- `memgraph config` prints the settings in force, secrets masked."""


def configuration() -> str:
    """The configuration page: every setting as variable and in TOML, and a file of the defaults."""
    fields = variables()
    return join(
        [
            notice("memgraph/settings.py"),
            "# Configuration",
            _CONFIGURATION_INTRO,
            table(
                ("Variable", "TOML", "Type", "Default", "Description"),
                (_setting(variable, field) for variable, field in fields),
            ),
            "The defaults as a file:",
            fence("toml", "\n".join(_toml(fields))),
        ]
    )


def _setting(variable: str, field: FieldInfo) -> tuple[str, ...]:
    annotated: Any = Annotated[field.annotation, field]
    schema = TypeAdapter(annotated).json_schema()
    limits = limits_in_words(schema, schema)
    type_ = ", ".join(part for part in (type_in_words(schema, schema), limits) if part)
    default = _default(field)
    shown = "by platform" if default is None else code(json.dumps(default))
    return code(variable), code(_path(variable)), type_, shown, field.description or ""


def _default(field: FieldInfo) -> Any:
    """The default as plain data; None when it is computed on the machine."""
    if field.default is PydanticUndefined:
        return None
    return TypeAdapter(Any).dump_python(field.default, mode="json")


def _path(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower().replace("__", ".")


def _toml(fields: list[tuple[str, FieldInfo]]) -> Iterator[str]:
    """Settings of the root first, then a table per section. JSON values read the same in TOML."""
    tables: dict[str, list[str]] = {"": []}
    for variable, field in fields:
        section, _, name = _path(variable).rpartition(".")
        default = _default(field)
        if isinstance(default, dict):
            tables[f"{section}{name}"] = [f"{k} = {json.dumps(v)}" for k, v in default.items()]
        elif default is not None and default != "**********":
            tables.setdefault(section, []).append(f"{name} = {json.dumps(default)}")
    for section, lines in tables.items():
        if section:
            yield f"\n[{section}]"
        yield from lines


# Events

_EVENTS_INTRO = f"""\
An event is one JSON object. Its type is told by `type` or, for telemetry, by `eventType`; a
prompt or response event may leave it out. Fields that are not listed are an error, and so is a
value of another type: nothing is converted. Names are camelCase or snake_case as you like.

- A time is ISO 8601 with a zone, from {EARLIEST:%Y-%m-%d} on, and at most
  {CLOCK_SKEW.total_seconds() / 3600:.0f} hours ahead of the server's clock.
- No text holds a NUL character.
- Free-form JSON nests at most {MAX_DEPTH} deep and holds at most {MAX_JSON_CHARS:,} characters; its
  integers fit 64 bits.
- A required field of an optional part is required when the part is there. `null` is the same as
  leaving a field out that is optional and has no default.

The example of each type is the smallest that is accepted."""


def events() -> str:
    """The events page: every type with its fields, their limits, and its smallest example."""
    schemas = event_schemas()
    titles = [_title(name) for name in schemas]
    sections = [
        notice("the models in memgraph/domain/events"),
        "# Events",
        _EVENTS_INTRO,
        "Types: " + ", ".join(map(link, titles)) + ".",
    ]
    for event_class, title in zip(EVENT_CLASSES, titles, strict=True):
        schema = schemas[event_class.__name__]
        tag = tag_of(event_class)
        optional = "" if tag in schema["required"] else ", which may be left out"
        tag_schema = schema["properties"][tag]
        sections += [
            f"## {title}",
            schema["description"],
            f"{code(tag)}: {type_in_words(tag_schema, schema)}{optional}.",
            table(("Field", "Type", "Required", "Limits", "Description"), _fields(schema, tag)),
            fence("json", json.dumps(schema["examples"][0], indent=2)),
        ]
    return join(sections)


def _title(class_name: str) -> str:
    return class_name.removesuffix("Event")


def _fields(schema: Mapping[str, Any], tag: str) -> Iterator[tuple[str, ...]]:
    return (row for row in _rows(schema, schema, "") if row[0] != code(tag))


def _rows(
    part: Mapping[str, Any], root: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, ...]]:
    """A row per field of a part, the fields of its parts below it by their paths."""
    for name, declared in part["properties"].items():
        field = resolved(declared, root)
        description = declared.get("description") or field.get("description") or ""
        default = declared.get("default")
        stated = "" if default in (None, "") else f"Default: {code(json.dumps(default))}."
        yield (
            code(prefix + name),
            type_in_words(declared, root),
            "yes" if name in part.get("required", ()) else "",
            limits_in_words(declared, root),
            f"{description} {stated}".strip(),
        )
        mark = "[]" if "items" in field else ""
        inner = resolved(field.get("items", field), root)
        if "properties" in inner:
            yield from _rows(inner, root, f"{prefix}{name}{mark}.")


# Queries

_QUERIES_INTRO = """\
Questions are asked by these statements, one file each in `cypher/queries`. A file says nothing
of tenants: loading adds the tenant to every node pattern, and leaves placeholders and tombstones
out. Rows are bounded, and the statement starts at the index it names."""

_QUERY_FIELDS = ("parameters", "columns", "index", "bound")


def queries(headers: Headers) -> str:
    """The queries page: what each file says of itself."""
    sections = [
        notice("the headers of cypher/queries"),
        "# Queries",
        _QUERIES_INTRO,
        "\n".join(f"- {link(name)}" for name in headers),
    ]
    for name, header in headers.items():
        facts = [f"- {field.capitalize()}: {prose(header[field])}" for field in _QUERY_FIELDS]
        if "include" in header:
            facts.append(f"- Ends like {link(header['include'])}")
        sections += [f"## {name}", prose(header["purpose"]), "\n".join(facts)]
    return join(sections)


# Metrics

_METRICS_INTRO = f"""\
`GET /metrics` of the service shows these in Prometheus's text format, the figures of all its
workers together. Labels hold names out of the program, never what callers send.

- The upper bounds of every histogram are {", ".join(f"{b:g}" for b in metrics.BUCKETS)} seconds.
- `operation` is the name of an operation as in `/openapi.json`, `{metrics.UNMATCHED}` when no
  route takes the request.
- A statement is named by its file in `cypher/queries`, one that is generated by what it does and
  the label it begins with.
- `event_type` is the label or relationship type that an event is about. Per source, what was
  received is the sum of what was processed."""


def metrics_page() -> str:
    """The metrics page: every metric that is declared."""
    return join(
        [
            notice("memgraph/metrics.py"),
            "# Metrics",
            _METRICS_INTRO,
            table(
                ("Metric", "Kind", "Unit", "Labels", "Meaning"),
                ((code(m.name), m.kind, m.unit, codes(m.labels), m.meaning) for m in metrics.ALL),
            ),
        ]
    )
