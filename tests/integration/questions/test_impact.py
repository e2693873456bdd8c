"""Question 2: what depends on a model, a template, a document or a tool."""

from __future__ import annotations

from statistics import mean

import pytest

from memgraph.domain.errors import InvalidInput, NotFound
from memgraph.graph.reader import IMPACT_KINDS, Reader
from memgraph.graph.writer import Writer
from tests.support import demo
from tests.support.demo import Json
from tests.support.questions import (
    expected_impact,
    prompt,
    prompts_of_templates,
    registered,
    response,
    write,
)


def prompts_of_model(model_id: str, version: str | None = None) -> set[str]:
    def uses(event: Json) -> bool:
        model = event["model"]
        return model["id"] == model_id and version in (None, model.get("version"))

    asked = {p["event_id"] for p in demo.PROMPTS.values() if uses(p)}
    return asked | {r["prompt_event_id"] for r in demo.RESPONSES.values() if uses(r)}


def family(root: tuple[str, str]) -> set[tuple[str, str]]:
    found = {root}
    while True:
        more = {
            key
            for key, e in demo.TEMPLATES.items()
            if (parent := e["template"].get("parent"))
            and (parent["id"], parent["version"]) in found
        }
        if more <= found:
            return found
        found |= more


def check_impact(reader: Reader, tenant: str, kind: str, id_: str, prompts: set[str]) -> Json:
    found = reader.get_impact(tenant, kind, id_)
    related: Json = found.pop("related")
    assert found == expected_impact(prompts)
    if prompts:
        exactly = reader.get_impact(tenant, kind, id_, limit=max(len(prompts), _told(related)))
        assert not exactly["is_cut"]
    if len(prompts) > 1:
        less = reader.get_impact(tenant, kind, id_, limit=len(prompts) - 1)
        assert less["is_cut"]
        assert less["prompts"] <= len(prompts) - 1
    return related


def _told(related: Json) -> int:
    invocations: int = related.get("invocations", 0)
    return invocations


@pytest.mark.parametrize("version", sorted(demo.prices()), ids="@".join)
def test_the_impact_of_a_model_version(
    reader: Reader, tenant: str, version: tuple[str, str]
) -> None:
    related = check_impact(reader, tenant, "model", "@".join(version), prompts_of_model(*version))
    (found,) = related["versions"]
    said = demo.prices()[version]
    assert {n: found[n] for n in said if n in found and n != "valid_from"} == {
        n: said[n] for n in said if n in found and n != "valid_from"
    }


@pytest.mark.parametrize("model_id", sorted({m for m, _ in demo.prices()}))
def test_the_impact_of_a_model(reader: Reader, tenant: str, model_id: str) -> None:
    related = check_impact(reader, tenant, "model", model_id, prompts_of_model(model_id))
    assert {v["version"] for v in related["versions"]} == {
        v for m, v in demo.prices() if m == model_id
    }


@pytest.mark.parametrize("key", sorted(demo.TEMPLATES), ids="@".join)
def test_the_impact_of_a_template_version(
    reader: Reader, tenant: str, key: tuple[str, str]
) -> None:
    prompts = prompts_of_templates(family(key))
    related = check_impact(reader, tenant, "template", "@".join(key), prompts)
    children = [(c["template_id"], c["version"]) for c in related["children"]]
    assert children == sorted(family(key) - {key})
    assert (related["template_id"], related["versions"]) == (key[0], [key[1]])


@pytest.mark.parametrize("template_id", sorted({t for t, _ in demo.TEMPLATES}))
def test_the_impact_of_a_template(reader: Reader, tenant: str, template_id: str) -> None:
    own = {key for key in demo.TEMPLATES if key[0] == template_id}
    prompts = prompts_of_templates(set().union(*map(family, own)))
    related = check_impact(reader, tenant, "template", template_id, prompts)
    assert related["versions"] == [v for _, v in sorted(own)]


@pytest.mark.parametrize(
    "id_", sorted({d["id"] for p in demo.PROMPTS.values() for d in demo.documents_of(p)})
)
def test_the_impact_of_a_document(reader: Reader, tenant: str, id_: str) -> None:
    given = {
        p["event_id"]: d
        for p in demo.PROMPTS.values()
        for d in demo.documents_of(p)
        if d["id"] == id_
    }
    related = check_impact(reader, tenant, "document", id_, set(given))
    document = next(iter(given.values()))
    assert related == {"context_id": id_, **{n: document[n] for n in ("title", "kind", "uri")}}


@pytest.mark.parametrize("tool", sorted({c["tool_name"] for c in demo.CALLS.values()}))
def test_the_impact_of_a_tool(reader: Reader, tenant: str, tool: str) -> None:
    calls = [c for c in demo.CALLS.values() if c["tool_name"] == tool]
    prompts = {demo.RESPONSES[c["response_id"]]["prompt_event_id"] for c in calls}
    assert check_impact(reader, tenant, "tool", tool, prompts) == {
        "tool_name": tool,
        "invocations": len(calls),
        "failed": sum(c["status"] == "failed" for c in calls),
        "retries": sum(c["retry_count"] for c in calls),
        "average_duration_ms": pytest.approx(mean(c["duration_ms"] for c in calls)),
    }
    assert reader.get_impact(tenant, "tool", tool, limit=len(calls) - 1)["is_cut"]


def test_a_model_whose_name_has_an_at_sign(writer: Writer, reader: Reader, own: str) -> None:
    write(
        writer,
        own,
        prompt("p", 0, model={"id": "sonnet@20260101"}),
        registered("opus@x", "1", 0, 0.1),
        response("r", 1, "p", model={"id": "opus@x", "version": "1"}),
    )
    for id_ in ("sonnet@20260101", "opus@x", "opus@x@1"):
        assert reader.get_impact(own, "model", id_)["prompts"] == 1
    for id_ in ("opus@x@2", "opus"):
        with pytest.raises(NotFound):
            reader.get_impact(own, "model", id_)


def test_a_prompt_counts_once_however_often_it_met_the_model(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, *(prompt(f"p{i}", i, model={"id": "m", "version": "1"}) for i in range(4)))
    write(
        writer,
        own,
        *(response(f"r{i}-{j}", i, f"p{i}", model={"id": "m"}) for i in range(4) for j in range(5)),
    )
    assert not reader.get_impact(own, "model", "m", limit=4)["is_cut"]
    cut = reader.get_impact(own, "model", "m", limit=3)
    assert (cut["is_cut"], cut["prompts"]) == (True, 3)


def test_impact_knows_four_kinds(reader: Reader, tenant: str) -> None:
    assert IMPACT_KINDS == ("template", "model", "document", "tool")
    with pytest.raises(InvalidInput, match="template, model, document, tool"):
        reader.get_impact(tenant, "session", "s-0033")
