"""What was known at a time: valid time and recorded time of agents, templates and prices."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest

from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.events import read_event
from memgraph.graph import export
from memgraph.graph.digest import digest
from memgraph.ids import iso, now
from memgraph.services.ingest.graph_rows import to_mutation
from tests.api.conftest import Caller, CallerAs

JANUARY, FEBRUARY, MARCH = (f"2026-0{month}-01T00:00:00Z" for month in (1, 2, 3))


def register(api: Caller, at: str, **said: Any) -> None:
    assert api.post("/agents", {"id": "a", "timestamp": at, **said}).status_code in (200, 201)


def agent(api: Caller, **times: str) -> Any:
    return api.get("/agents/a", query_string=times).json


class TestAgents:
    def test_each_property_is_the_newest_that_was_said_by_then(self, api: Caller) -> None:
        register(api, JANUARY, role="billing", model_id="m-1", config={"max_tokens": 5})
        # Later told, earlier true.
        register(api, MARCH, model_id="m-3", capabilities=["refunds"])
        register(api, FEBRUARY, role="sales", name="Ada")
        assert agent(api, as_of=JANUARY) == {
            "agent_id": "a",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "role": "billing",
            "model_id": "m-1",
            "config": {"max_tokens": 5},
        }
        then = agent(api, as_of=FEBRUARY)
        assert (then["role"], then["name"], then["model_id"]) == ("sales", "Ada", "m-1")
        assert (then["updated_at"], "capabilities" in then) == ("2026-02-01T00:00:00Z", False)
        after = agent(api, as_of=iso(now()))
        assert (after["role"], after["model_id"]) == ("sales", "m-3")
        assert after["config"] == {"max_tokens": 5}

    def test_what_was_recorded_later_was_not_known(self, api: Caller) -> None:
        register(api, FEBRUARY, role="billing")
        between = iso(now())
        register(api, JANUARY, role="sales")
        register(api, MARCH, role="support")
        assert agent(api, recorded_as_of=between)["role"] == "billing"
        assert agent(api, as_of=JANUARY)["role"] == "sales"
        nothing = api.get("/agents/a", query_string={"as_of": JANUARY, "recorded_as_of": between})
        assert (nothing.status_code, nothing.json["code"]) == (404, "not_found")

    def test_a_status_says_nothing_of_the_configuration(self, api: Caller) -> None:
        register(api, JANUARY, status="active", tags=["t"])
        assert api.get("/agents/a", query_string={"as_of": MARCH}).status_code == 404
        assert api.get("/stats").json["nodes"].get("AgentConfiguration") is None
        api.patch("/agents/a", {"config": {"max_retries": 1}})
        assert api.get("/stats").json["relationships"] == {"CONFIGURES": 1}

    def test_what_is_wrong_or_another_tenants(self, api: Caller, caller: CallerAs) -> None:
        register(api, JANUARY, role="billing")
        assert api.get("/agents/a?as_of=yesterday").status_code == 422
        assert api.get("/agents/a?as_of=2026-01-01T00:00:00").status_code == 422
        assert api.get("/agents/a?as_of=0001-01-01T00:00:00%2B08:00").status_code == 422
        other = caller(tenant_id="another-tenant")
        assert other.get(f"/agents/a?as_of={MARCH}").status_code == 404
        reader = caller(Role.DATA_SCIENTIST)
        assert reader.get(f"/agents/a?as_of={MARCH}").json["role"] == "billing"


TEMPLATE = {"id": "t", "name": "T", "text": "Hello", "timestamp": JANUARY}


class TestTemplates:
    def test_what_was_recorded_later_was_not_known(self, api: Caller) -> None:
        api.post("/templates", TEMPLATE)
        between = iso(now())
        api.post("/templates/t/versions", {"bump": "minor", "timestamp": FEBRUARY})
        known = {"recorded_as_of": between}
        assert api.get("/templates/t", query_string=known).json["version"] == "1.0.0"
        assert api.get("/templates/t").json["version"] == "1.1.0"
        newest, first = api.get("/templates/t/versions").json["items"]
        assert first["recorded_at"] <= between < newest["recorded_at"]

    def test_a_version_that_was_only_named_was_not_known(self, api: Caller) -> None:
        named = {"prompt": {"text": "x"}, "template": {"id": "t", "version": "1.0.0"}}
        assert api.post("/sessions/s/prompts", named).status_code == 201
        between = iso(now())
        api.post("/templates", TEMPLATE)
        known = {"recorded_as_of": between}
        assert api.get("/templates/t", query_string=known).status_code == 404
        assert api.get("/templates/t").json["version"] == "1.0.0"


class TestPrices:
    def test_what_was_recorded_later_was_not_known(self, api: Caller) -> None:
        first = {"version": "1", "input_usd_per_1k": 0.1, "valid_from": JANUARY}
        api.post("/models", {"id": "m", "version": first, "timestamp": JANUARY})
        between = iso(now())
        # A price that was due since February and arrives now.
        late = {"version": "2", "input_usd_per_1k": 0.2, "valid_from": FEBRUARY}
        api.post("/models/m/versions", late)
        more = {"version": "1", "output_usd_per_1k": 0.4, "changelog": "Better."}
        api.post("/models/m/versions", more)

        def version(**times: str) -> Any:
            return api.get("/models/m", query_string=times).json["version"]

        assert version(as_of=MARCH)["version"] == "2"
        assert version(as_of=MARCH, recorded_as_of=between) == {
            "model_id": "m",
            "version": "1",
            "created_at": "2026-01-01T00:00:00Z",
            "valid_from": "2026-01-01T00:00:00Z",
            "input_usd_per_1k": 0.1,
        }
        then = version(as_of="2026-01-15T00:00:00Z", recorded_as_of=iso(now()))
        assert (then["input_usd_per_1k"], then["output_usd_per_1k"]) == (0.1, 0.4)
        assert version(recorded_as_of=JANUARY) is None

    def test_a_price_holds_from_its_first_word(self, api: Caller) -> None:
        api.post("/models", {"id": "m", "timestamp": FEBRUARY, "version": {"version": "1"}})
        told = {"version": "1", "input_usd_per_1k": 0.1, "timestamp": MARCH}
        assert api.post("/models/m/versions", told).status_code == 201
        times = {"as_of": MARCH, "recorded_as_of": iso(now())}
        assert api.get("/models/m", query_string=times).json["version"]["valid_from"] == (
            "2026-03-01T00:00:00Z"
        )


EVENTS = [
    {
        "type": "agent",
        "event_id": f"e{n}",
        "timestamp": at,
        "agent": {"id": "a", "role": f"r{n}", "status": "idle"},
    }
    for n, at in enumerate((FEBRUARY, JANUARY, FEBRUARY))
]


@pytest.fixture
def mutations() -> list[Any]:
    return [to_mutation(read_event(orjson.dumps(event))) for event in EVENTS]


def test_any_order_and_replays_make_the_same_graph(
    parts: App, tenant: str, mutations: list[Any]
) -> None:
    found = set()
    for n, order in enumerate(itertools.permutations(mutations)):
        one = f"{tenant}-{n}"
        for mutation in (*order, *order):
            parts.writer.write(one, [mutation])
        found.add(digest(parts.graph, parts.model, one).value)
    assert len(found) == 1


def test_a_replay_keeps_the_recorded_time(
    api: Caller, parts: App, tenant: str, mutations: list[Any]
) -> None:
    parts.writer.write(tenant, mutations)
    between = iso(now())
    parts.writer.write(tenant, mutations)
    assert agent(api, recorded_as_of=between)["role"] == "r2"


def test_an_import_records_what_it_brings(
    parts: App, tenant: str, caller: CallerAs, mutations: list[Any], tmp_path: Path
) -> None:
    parts.writer.write(tenant, mutations)
    target = f"{tenant}-copy"
    export.export(parts.graph, parts.model, tenant, tmp_path / "saved")
    before = iso(now())
    export.import_(parts.graph, parts.model, target, tmp_path / "saved")
    assert digest(parts.graph, parts.model, tenant) == digest(parts.graph, parts.model, target)
    copy = caller(tenant_id=target)
    assert agent(copy, recorded_as_of=iso(now()))["role"] == "r2"
    assert copy.get(f"/agents/a?recorded_as_of={before}").status_code == 404
