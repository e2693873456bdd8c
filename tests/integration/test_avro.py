"""Avro by a real broker and a registry behind a socket: the graph that JSON makes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memgraph.domain.mutations import Totals
from memgraph.sections import RegistrySettings
from tests.support.avro import running_registry
from tests.support.events import small_story
from tests.support.reading import Direct, Publish, Readers, conversations
from tests.support.streams import records_of


@pytest.mark.parametrize("events", [small_story, conversations])
def test_avro_makes_the_graph_that_json_makes(
    readers: Readers, publish: Publish, direct: Direct, events: Callable[[], list[bytes]]
) -> None:
    story = events()
    unknown, broken = b"\0\xff\0\0\0rest", b"\0\0\0\0\1\xff"
    with running_registry() as served:
        publish([*(served.wire(each) for each in story), unknown, broken])
        served.is_away = True
        with readers.reading(batch=7, registry=RegistrySettings(url=served.url)) as reading:
            # Nothing is refused for a registry that is away.
            reading.until(lambda: any("registry" in said.trouble for said in readers.said))
            assert readers.counted()["received"] == 0
            served.is_away = False
            reading.until(readers.received(len(story) + 2))
            assert reading.stop() == Totals(stored=len(story), dead_lettered=2)
    assert readers.digest() == direct(story)
    copies = records_of(readers.brokers, f"{readers.topic}.dlq", 2)
    assert {copy.value for copy in copies} == {unknown, broken}
    assert {dict(copy.headers)["stage"] for copy in copies} == {b"decode"}
