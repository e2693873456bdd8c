"""Templates through HTTP: versions, inheritance, prompts made from them."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph.domain.access import Role
from tests.api.conftest import Caller, CallerAs

GREETING = {
    "id": "t",
    "name": "Greeting",
    "text": "Hello {{name}}!",
    "variables": [{"name": "name", "pattern": "[A-Z]\\w*"}],
    "timestamp": "2026-01-01T00:00:00Z",
}


def create(api: Caller, body: Any) -> Any:
    answer = api.post("/templates", body)
    assert answer.status_code == 201, answer.json
    return answer.json


class TestVersions:
    def test_the_first_version(self, api: Caller) -> None:
        made = create(api, GREETING)
        assert (made["version"], made["origin"]) == ("1.0.0", "registered")
        assert api.get("/templates/t").json == made
        assert api.post("/templates", GREETING).status_code == 200
        other = api.post("/templates", {**GREETING, "text": "Bye {{name}}!"})
        assert (other.status_code, other.json["code"]) == (409, "conflict")
        assert api.post("/templates", {**GREETING, "version": "2.0.0"}).status_code == 409

    @pytest.mark.parametrize(
        ("bump", "version"), [("major", "2.0.0"), ("minor", "1.1.0"), ("patch", "1.0.1")]
    )
    def test_a_new_version_keeps_what_is_not_said(
        self, api: Caller, bump: str, version: str
    ) -> None:
        create(api, {**GREETING, "tags": ["a"], "metadata": {"team": "x"}})
        body = {"bump": bump, "comment": "Shorter.", "text": "Hi {{name}}!"}
        made = api.post("/templates/t/versions", body)
        assert made.status_code == 201, made.json
        assert (made.json["version"], made.json["tags"]) == (version, ["a"])
        assert made.json["metadata"] == {"team": "x", "comment": "Shorter."}
        assert [v["name"] for v in made.json["variables"]] == ["name"]
        versions = api.get("/templates/t/versions").json["items"]
        assert [(v["version"], v["previous_version"], v["comment"]) for v in versions] == [
            (version, "1.0.0", "Shorter."),
            ("1.0.0", None, None),
        ]

    def test_a_comment_is_of_one_version(self, api: Caller) -> None:
        create(api, GREETING)
        api.post("/templates/t/versions", {"bump": "minor", "comment": "One."})
        api.post("/templates/t/versions", {"bump": "minor"})
        comments = [v["comment"] for v in api.get("/templates/t/versions").json["items"]]
        assert comments == [None, "One.", None]

    def test_versions_are_compared_as_numbers(self, api: Caller) -> None:
        create(api, {**GREETING, "version": "1.9.0"})
        api.post("/templates/t/versions", {"bump": "minor"})
        assert api.get("/templates/t").json["version"] == "1.10.0"

    def test_what_was_known_at_a_time(self, api: Caller) -> None:
        create(api, GREETING)
        later = {"bump": "major", "timestamp": "2026-02-01T00:00:00Z"}
        api.post("/templates/t/versions", later)
        path = "/templates/t?as_of="
        assert api.get(f"{path}2026-01-15T00:00:00Z").json["version"] == "1.0.0"
        assert api.get(f"{path}2026-02-01T00:00:00Z").json["version"] == "2.0.0"
        assert api.get(f"{path}2025-12-31T00:00:00Z").status_code == 404
        assert api.get(f"{path}2026-01-15T00:00:00Z&version=2.0.0").status_code == 404
        assert api.get("/templates/t?version=1.0.0").json["version"] == "1.0.0"
        assert api.get(f"{path}yesterday").status_code == 422

    def test_what_is_missing(self, api: Caller, caller: CallerAs) -> None:
        create(api, GREETING)
        paths = ["", "/versions", "/genealogy"]
        for one in (api, caller(tenant_id="another-tenant")):
            id_ = "none" if one is api else "t"
            assert {one.get(f"/templates/{id_}{p}").status_code for p in paths} == {404}
            assert one.post(f"/templates/{id_}/versions", {"bump": "minor"}).status_code == 404

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"text": "Hello {{nobody}}"}, "variables.nobody"),
            ({"text": "Hello {{#section a}}"}, "text"),
            ({"variables": [{"name": "name"}, {"name": "name"}]}, "variables.name"),
            ({"parent": {"id": "none", "version": "1.0.0"}}, "parent"),
            ({"version": "1"}, "version"),
            ({"origin": "mined"}, "origin"),
            ({"usage_count": 3}, "usage_count"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Caller, more: Any, field: str) -> None:
        answer = api.post("/templates", {**GREETING, **more})
        assert answer.status_code == 422
        assert field in {e["field"] for e in answer.json["errors"]}
        assert api.get("/templates/t").status_code == 404


BASE = {
    "id": "base",
    "name": "Base",
    "text": "{{#section tone}}Be kind.{{/section}} Help {{name}}.",
    "variables": [{"name": "name"}, {"name": "city", "default": "Oslo"}],
}
CHILD = {
    "id": "child",
    "name": "Child",
    "text": "{{#section tone}}Be quick in {{city}}.{{/section}}",
    "parent": {"id": "base", "version": "1.0.0"},
}


class TestInheritance:
    def test_a_child_says_what_it_overrides(self, api: Caller) -> None:
        create(api, BASE)
        made = create(api, CHILD)
        [link] = [link for link in made["links"] if link["type"] == "INHERITS"]
        assert (link["id"], link["properties"]["override_sections"]) == ("base@1.0.0", ["tone"])
        assert (link["properties"]["depth"], link["properties"]["version_diff"]) == (
            1,
            "+1 -1 lines",
        )
        genealogy = api.get("/templates/base/genealogy").json["items"]
        assert genealogy[0]["children"] == [{"template_id": "child", "version": "1.0.0"}]

    def test_a_new_version_has_the_same_parent_until_it_is_ended(self, api: Caller) -> None:
        create(api, BASE)
        create(api, CHILD)
        kept = api.post("/templates/child/versions", {"bump": "patch"}).json
        types = {link["type"] for link in kept["links"]}
        assert types == {"INHERITS", "PREVIOUS_VERSION"}
        body = {"bump": "major", "parent": None, "text": "Alone."}
        ended = api.post("/templates/child/versions", body).json
        assert {link["type"] for link in ended["links"]} == {"PREVIOUS_VERSION"}

    def test_a_section_that_the_parent_has_not(self, api: Caller) -> None:
        create(api, BASE)
        answer = api.post("/templates", {**CHILD, "text": "{{#section other}}x{{/section}}"})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "text")

    def test_a_template_cannot_inherit_from_itself(self, api: Caller) -> None:
        answer = api.post("/templates", {**BASE, "parent": {"id": "base", "version": "1.0.0"}})
        assert (answer.status_code, answer.json["code"]) == (409, "template_cycle")

    def test_nor_from_one_that_waits_for_it(self, api: Caller, parts: Any, tenant: str) -> None:
        from memgraph.domain.events import read_event
        from memgraph.services.ingest.graph_rows import to_mutation
        from tests.support.events import at, event

        child = {"id": "child", "version": "1.0.0", "name": "C", "text": "c"}
        early = event(
            type="template",
            event_id="e",
            timestamp=at(0),
            template={**child, "parent": {"id": "base", "version": "1.0.0"}},
        )
        parts.writer.write(tenant, [to_mutation(read_event(early), early)])
        answer = api.post("/templates", {**BASE, "parent": {"id": "child", "version": "1.0.0"}})
        assert (answer.status_code, answer.json["code"]) == (409, "template_cycle")
        assert api.get("/templates/base").status_code == 404


class TestInstances:
    def test_a_prompt_is_made(self, api: Caller) -> None:
        create(api, BASE)
        create(api, CHILD)
        body = {"session_id": "s", "bindings": {"name": "Ada"}, "agent_id": "a", "id": "p"}
        made = api.post("/templates/child/instantiate", body)
        assert (made.status_code, made.json["text"]) == (201, "Be quick in Oslo. Help Ada.")
        assert made.headers["Location"] == "/api/v1/prompts/p"
        prompt = api.get(f"/prompts/{made.json['id']}").json
        assert prompt["text"] == made.json["text"]
        links = {link["type"]: link for link in prompt["links"]}
        assert set(links) == {"INSTANTIATES", "PART_OF", "HANDLED_BY"}
        assert links["INSTANTIATES"]["id"] == "child@1.0.0"
        bound = links["INSTANTIATES"]["properties"]["variable_bindings"]
        assert bound == {"name": "Ada", "city": "Oslo"}
        assert api.get("/templates/child/genealogy").json["items"][0]["prompts"] == 1

    def test_variables_that_nobody_declared_are_those_of_the_text(self, api: Caller) -> None:
        create(api, {"id": "t", "name": "T", "text": "Hi {{name}}!"})
        body = {"session_id": "s", "bindings": {"name": "Ada"}}
        assert api.post("/templates/t/instantiate", body).json["text"] == "Hi Ada!"
        missing = api.post("/templates/t/instantiate", {"session_id": "s"})
        assert missing.json["errors"][0]["field"] == "variables.name"

    def test_a_version_of_ones_choice(self, api: Caller) -> None:
        create(api, GREETING)
        api.post("/templates/t/versions", {"bump": "major", "text": "Hi {{name}}!"})
        body = {"session_id": "s", "bindings": {"name": "Ada"}}
        assert api.post("/templates/t/instantiate", body).json["text"] == "Hi Ada!"
        old = api.post("/templates/t/instantiate", {**body, "version": "1.0.0"}).json
        assert (old["text"], old["version"]) == ("Hello Ada!", "1.0.0")
        assert api.post("/templates/t/instantiate", {**body, "version": "7.0.0"}).status_code == 404

    @pytest.mark.parametrize(
        ("bindings", "field"),
        [
            ({}, "variables.name"),
            ({"name": "ada"}, "variables.name"),
            ({"name": 1}, "variables.name"),
            ({"name": "Ada", "other": 1}, "variables.other"),
        ],
    )
    def test_values_must_fit(self, api: Caller, bindings: Any, field: str) -> None:
        create(api, GREETING)
        body = {"session_id": "s", "bindings": bindings}
        answer = api.post("/templates/t/instantiate", body)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)
        assert api.get("/sessions/s").status_code == 404

    def test_an_empty_text_is_no_prompt(self, api: Caller) -> None:
        create(api, {"id": "e", "name": "E", "text": "{{x}}", "variables": [{"name": "x"}]})
        body = {"session_id": "s", "bindings": {"x": ""}}
        assert api.post("/templates/e/instantiate", body).status_code == 422

    def test_who_may(self, api: Caller, caller: CallerAs) -> None:
        create(api, GREETING)
        engineer = caller(Role.ML_ENGINEER)
        assert engineer.post("/templates/t/versions", {"bump": "minor"}).status_code == 201
        body = {"session_id": "s", "bindings": {"name": "Ada"}}
        assert engineer.post("/templates/t/instantiate", body).status_code == 403
        assert caller(Role.DATA_SCIENTIST).post("/templates", GREETING).status_code == 403
