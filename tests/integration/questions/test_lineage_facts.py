"""Question 1: what a lineage adds to what was sent, prices and inferred steps."""

from __future__ import annotations

from typing import Any

from memgraph.graph.reader import Reader
from memgraph.graph.writer import Writer
from tests.support import demo
from tests.support.demo import Json
from tests.support.questions import DOWN, prompt, registered, response, write


def test_the_price_is_that_of_the_version_that_answered(reader: Reader, tenant: str) -> None:
    prices = demo.prices()
    for id_, answer in demo.RESPONSES.items():
        found = reader.get_lineage(tenant, "response", id_, depth=1)
        (root,) = (n for n in found["nodes"] if n["id"] == found["root"])
        version = answer["model"]["version"]
        said = prices[answer["model"]["id"], version]
        assert root["price"]["version"] == version
        for name in ("input_usd_per_1k", "output_usd_per_1k"):
            assert root["price"][name] == said[name]


def test_the_price_is_that_of_the_time_when_nobody_says_a_version(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(
        writer,
        own,
        registered("m", "1", 0, 0.1),
        registered("m", "2", 100, 0.2),
        prompt("p", 50),
        response("before", -1, "p", model={"id": "m"}),
        response("first", 100 - 1e-3, "p", model={"id": "m"}),
        response("second", 100, "p", model={"id": "m"}),
        response("stated", 200, "p", model={"id": "m", "version": "1"}),
        response("unknown", 200, "p", model={"id": "m", "version": "3"}),
    )

    def price(id_: str) -> Any:
        found = reader.get_lineage(own, "response", id_, depth=1)
        (root,) = (n for n in found["nodes"] if n["id"] == found["root"])
        return root["price"] and root["price"]["version"]

    assert [price(i) for i in ("before", "first", "second", "stated", "unknown")] == [
        None,
        "1",
        "2",
        "1",
        "2",
    ]


def inferred(lineage: Json) -> list[tuple[str, str]]:
    keys = {
        n["id"]: n["properties"].get("response_id") or n["properties"].get("invocation_id")
        for n in lineage["nodes"]
    }
    found = [e for e in lineage["edges"] if e["is_inferred"]]
    assert {e["type"] for e in found} <= {"INFORMED_BY"}
    return sorted((keys[e["start"]], keys[e["end"]]) for e in found)


def test_what_nobody_said_is_inferred_and_marked(writer: Writer, reader: Reader, own: str) -> None:
    write(
        writer,
        own,
        prompt("p", 0),
        response("r1", 1, "p", "t1", "t2"),
        response("r2", 2, "p", "t3"),
        response("r3", 3, "p", "t4", informed_by=["t1"]),
        response("r4", 4, "p"),
        response("r5", 5, "p"),
    )
    up = {
        r: inferred(reader.get_lineage(own, "response", r, depth=1))
        for r in ("r1", "r2", "r3", "r4", "r5")
    }
    assert up == {
        "r1": [],
        "r2": [("r2", "t1"), ("r2", "t2")],
        "r3": [],  # the sender spoke
        "r4": [("r4", "t4")],
        "r5": [],  # the response before it called nothing
    }
    down = [
        pair
        for t in ("t1", "t2", "t3", "t4")
        for pair in inferred(reader.get_lineage(own, "tool", t, directions=DOWN, depth=1))
    ]
    assert sorted(down) == sorted(pair for pairs in up.values() for pair in pairs)


def test_at_one_time_the_key_decides_who_came_before(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, prompt("p", 0), response("r2", 1, "p"), response("r1", 1, "p", "t"))
    assert inferred(reader.get_lineage(own, "response", "r2", depth=1)) == [("r2", "t")]
    assert inferred(reader.get_lineage(own, "response", "r1", depth=1)) == []
    found = reader.get_lineage(own, "tool", "t", directions=DOWN, depth=1)
    assert inferred(found) == [("r2", "t")]


def test_two_responses_that_share_a_call_both_pass_it_on(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(
        writer,
        own,
        prompt("p", 0),
        prompt("q", 10),
        response("r1", 1, "p", "t"),
        response("r2", 2, "p"),
        response("s1", 11, "q", "t"),
        response("s2", 12, "q"),
    )
    found = reader.get_lineage(own, "tool", "t", directions=DOWN, depth=1)
    assert inferred(found) == [("r2", "t"), ("s2", "t")]


def test_depth_is_said_of_an_inferred_step_too(writer: Writer, reader: Reader, own: str) -> None:
    write(writer, own, prompt("p", 0), response("r1", 1, "p", "t"), response("r2", 2, "p"))
    assert reader.get_lineage(own, "response", "r1", directions=DOWN, depth=1)["cuts"] == ["depth"]
    assert reader.get_lineage(own, "response", "r1", directions=DOWN, depth=2)["cuts"] == []
