"""What thread, lineage and impact are said to look like is how they look."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from memgraph.api.shapes import Impact, Lineage, Thread
from memgraph.bootstrap import App
from memgraph.cli.stack import DEMO_FILE
from memgraph.domain.events import read_event
from memgraph.services.ingest.graph_rows import to_mutation


@pytest.fixture(scope="module")
def demo(parts: App) -> str:
    """A tenant with the demo."""
    tenant_id = f"tenant-{uuid.uuid4()}"
    lines = DEMO_FILE.read_bytes().splitlines()
    parts.writer.write(tenant_id, [to_mutation(read_event(x), x) for x in lines])
    return tenant_id


def unknown(answer: BaseModel) -> Iterator[str]:
    """Fields that an answer has and its shape does not, at any depth."""
    yield from answer.model_extra or ()
    for name in type(answer).model_fields:
        value = getattr(answer, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from unknown(item)


def models_of(shape: Any) -> Iterator[type[BaseModel]]:
    """A shape and those it is made of."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        yield shape
        for field in shape.model_fields.values():
            yield from models_of(field.annotation)
    for inner in get_args(shape):
        yield from models_of(inner)


def met(answer: BaseModel) -> Iterator[str]:
    """Names of the shapes that an answer holds."""
    yield type(answer).__name__
    for name in type(answer).model_fields:
        value = getattr(answer, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from met(item)


def check(shape: type[BaseModel], answers: list[Any]) -> None:
    read = [shape.model_validate(answer) for answer in answers]
    assert {name for answer in read for name in unknown(answer)} == set()
    seen = {name for answer in read for name in met(answer)}
    assert seen == {m.__name__ for m in models_of(shape)}, "the data has no such part"


def test_threads(parts: App, demo: str) -> None:
    reader = parts.services.reader
    check(Thread, [reader.get_thread(demo, f"s-{n:04}") for n in range(1, 41)])


def test_lineages(parts: App, demo: str) -> None:
    reader = parts.services.reader
    ids = ("s-0001-p2-r2", "s-0010-p3-r1")
    check(Lineage, [reader.get_lineage(demo, "response", id_) for id_ in ids])


def test_impacts(parts: App, demo: str) -> None:
    asked = [
        ("template", "tpl-triage"),
        ("model", "tarn-3@3.0"),
        ("tool", "order_lookup"),
        ("document", "doc-returns-policy-2024#3"),
    ]
    check(Impact, [parts.services.reader.get_impact(demo, *one) for one in asked])
