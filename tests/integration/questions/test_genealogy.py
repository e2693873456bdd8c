"""Question 7: the versions of a template, their parents and how they did."""

from __future__ import annotations

from statistics import mean

import pytest

from memgraph.graph.reader import Reader
from tests.support import demo
from tests.support.demo import Json
from tests.support.questions import expected_impact, prompts_of_templates


@pytest.mark.parametrize("template_id", sorted({t for t, _ in demo.TEMPLATES}))
def test_the_genealogy_of_a_template(reader: Reader, tenant: str, template_id: str) -> None:
    own = sorted(key for key in demo.TEMPLATES if key[0] == template_id)
    found = reader.list_genealogy(tenant, template_id)
    assert [t["version"] for t in found] == [version for _, version in own]
    for version, key in zip(found, own, strict=True):
        version["scores"] = {s["name"]: (s["count"], s["average"]) for s in version["scores"]}
        assert version == expected_version(key)


def expected_version(key: tuple[str, str]) -> Json:
    registered = demo.TEMPLATES[key]
    body = registered["template"]
    prompts = prompts_of_templates({key})
    answers = [r for p in prompts for r in demo.ANSWERS.get(p, ())]
    impact = expected_impact(prompts)
    return {
        "version": key[1],
        "name": body["name"],
        "author": body["author"],
        "origin": "registered",
        "created_at": demo.at(registered),
        "previous_version": body.get("previous_version"),
        "parent": body.get("parent")
        and {
            "template_id": body["parent"]["id"],
            "version": body["parent"]["version"],
            "overrides": body["override_sections"],
        },
        "children": [
            {"template_id": t, "version": v}
            for (t, v), e in sorted(demo.TEMPLATES.items())
            if (e["template"].get("parent") or {}) == {"id": key[0], "version": key[1]}
        ],
        "prompts": len(prompts),
        "average_latency_ms": pytest.approx(mean(a["metrics"]["latency"] for a in answers))
        if answers
        else None,
        "cost_usd": impact["cost_usd"],
        "errors": impact["errors"],
        "scores": {s["name"]: (s["count"], s["average"]) for s in impact["scores"]},
    }
