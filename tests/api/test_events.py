"""The door for events: what is taken, what is told of each, and what is counted."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from tests.api.conftest import Caller, CallerAs
from tests.support.events import small_story

Json = dict[str, Any]
FIGURES = ("received", "stored", "duplicate", "rejected", "dead_lettered")


def prompt(id_: str, text: str = "Where is my parcel?", **more: Any) -> Json:
    return {
        "type": "prompt",
        "event_id": id_,
        "timestamp": "2026-01-05T09:30:00Z",
        "prompt": {"text": text},
        "session": {"id": "s-1"},
        **more,
    }


def response(id_: str, **more: Any) -> Json:
    body = {"text": "On Monday.", "finish_reason": "stop"}
    return {
        "event_id": id_,
        "timestamp": "2026-01-05T09:30:02Z",
        "prompt_event_id": "e-1",
        "response": body,
        **more,
    }


def figures(answer: Any) -> list[int]:
    return [answer.json[name] for name in FIGURES]


def outcomes(answer: Any) -> list[str]:
    return [item["outcome"] for item in answer.json["items"]]


@pytest.fixture
def ledger(graph: Graph, model: GraphModel, tenant: str) -> Any:
    def read(source: str = "events") -> list[int]:
        rows = Reader(graph, model).list_sources(tenant)
        [row] = [row for row in rows if row["source"] == source]
        return [row[name] for name in (*FIGURES, "kept")]

    return read


def test_one_event_and_again(api: Caller, ledger: Any) -> None:
    first = api.post("/events", prompt("e-1"))
    assert (first.status_code, figures(first)) == (200, [1, 1, 0, 0, 0])
    assert first.json["items"] == [{"event_id": "e-1", "outcome": "stored"}]
    again = api.post("/events", prompt("e-1"))
    assert (again.status_code, figures(again)) == (200, [1, 0, 1, 0, 0])
    assert ledger() == [2, 1, 1, 0, 0, 0]
    assert api.get("/prompts/e-1").json["text"] == "Where is my parcel?"


def test_a_mixed_body_tells_of_each(api: Caller, ledger: Any) -> None:
    api.post("/events", prompt("e-1"))
    mixed = [
        prompt("e-1"),
        prompt("e-2"),
        prompt("e-3") | {"prompt": {"text": 7}},
        prompt("e-1", "Another text"),
        "not an event",
    ]
    answer = api.post("/events", mixed)
    assert answer.status_code == 207
    assert outcomes(answer) == ["duplicate", "stored", "rejected", "dead_lettered", "rejected"]
    assert figures(answer) == [5, 1, 1, 2, 1]
    problems = [item.get("problem") for item in answer.json["items"]]
    assert problems[2] == {
        "code": "invalid_input",
        "detail": "prompt.text: Input should be a valid string",
        "stage": "validate",
    }
    assert problems[3]["code"] == "conflict"
    assert "Another text" not in answer.text
    assert ledger() == [6, 2, 1, 2, 1, 1]


def test_a_packed_body_of_every_kind_of_event(api: Caller, ledger: Any) -> None:
    events = [orjson.loads(line) for line in small_story()]
    answer = api(
        "POST",
        "/events",
        data=gzip.compress(orjson.dumps(events)),
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json["stored"]) == (200, len(events))
    again = api.post("/events", list(reversed(events)))
    assert (again.status_code, again.json["duplicate"]) == (200, len(events))
    assert ledger()[:3] == [2 * len(events), len(events), len(events)]


@pytest.mark.parametrize("body", [b"[", b"[]", b"7", b'"x"', b"[" + b"{}," * 1_000 + b"{}]"])
def test_a_body_that_is_no_events(api: Caller, body: bytes) -> None:
    answer = api("POST", "/events", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "body")


def test_each_event_needs_the_rights_for_it(caller: CallerAs) -> None:
    service = caller(Role.SERVICE)
    model = {
        "type": "model",
        "event_id": "m-1",
        "timestamp": "2026-01-05T09:30:00Z",
        "model": {"id": "m"},
    }
    answer = service.post("/events", [prompt("e-1"), model])
    assert outcomes(answer) == ["stored", "rejected"]
    assert answer.json["items"][1]["problem"]["code"] == "forbidden"
    assert caller(Role.DATA_SCIENTIST).post("/events", prompt("e-2")).status_code == 403


def test_the_cost_is_computed_by_the_price_of_that_time(api: Caller) -> None:
    price = {"input_usd_per_1k": 2.0, "output_usd_per_1k": 10.0}
    versions = [("1", "2026-01-01T00:00:00Z", 1), ("2", "2026-01-05T09:30:01Z", 2)]
    for version, valid_from, times in versions:
        said = {name: value * times for name, value in price.items()}
        body = {"version": version, "valid_from": valid_from, **said}
        assert api.post("/models", {"id": "m", "version": body}).status_code in (200, 201)
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
    later = response("r-1", model={"id": "m"}, usage=usage)
    earlier = response("r-2", model={"id": "m"}, usage=usage) | {
        "timestamp": "2026-01-03T00:00:00Z"
    }
    said = response("r-3", model={"id": "m"}, usage=usage, metrics={"cost": 0.5})
    unknown = response("r-4", model={"id": "unknown"}, usage=usage)
    assert api.post("/events", [later, earlier, said, unknown]).status_code == 200
    read = {n: api.get(f"/responses/r-{n}").json for n in (1, 2, 3, 4)}
    assert [read[n].get("cost_usd") for n in (1, 2, 3, 4)] == [6.0, 3.0, 0.5, None]
    assert read[1]["computed_properties"] == ["cost_usd"]
    assert "computed_properties" not in read[3]


def test_a_batch_of_telemetry(api: Caller, ledger: Any) -> None:
    event = {
        "event_id": "m-1",
        "event_type": "llm.metrics.aggregated",
        "timestamp": "2026-01-05T09:30:00Z",
        "payload": {"model_id": "m", "total_invocations": 10_000, "avg_latency_ms": 245.5},
    }
    body = {"batch_id": "b-1", "events": [event], "compression": "gzip"}
    answer = api.post("/telemetry/batch", body)
    assert answer.status_code == 200
    told = dict(answer.json)
    assert told.pop("processing_time_ms") >= 0
    assert told == {
        "batch_id": "b-1",
        "status": "accepted",
        "processed_count": 1,
        "failed_count": 0,
        "failures": [],
    }
    broken = {**event, "payload": {"total_invocations": -1}}
    partial = api.post("/telemetry/batch", {"events": [event, broken]})
    assert (partial.status_code, partial.json["status"]) == (207, "partial")
    assert (partial.json["processed_count"], partial.json["failed_count"]) == (1, 1)
    assert ledger("telemetry") == [3, 1, 1, 1, 0, 0]
    for wrong in ({"events": [event], "x": 1}, {"events": {}}, [event], {"batch_id": 7}):
        assert api.post("/telemetry/batch", wrong).status_code == 422


class TestPersonalData:
    TEXT = "Write to maria.keller@example.com, please."

    def tenant_says(self, graph: Graph, tenant: str, policy: str) -> None:
        graph.run(
            "MERGE (t:Tenant {tenant_id: $tenant}) SET t.pii_policy = $policy, "
            "t.created_at = coalesce(t.created_at, datetime())",
            tenant=tenant,
            policy=policy,
        )

    def test_it_is_flagged(self, api: Caller) -> None:
        api.post("/events", [prompt("e-1", self.TEXT), prompt("e-2"), response("r-1")])
        read = api.get("/prompts/e-1").json
        assert (read["has_pii"], read["pii_kinds"], read["text"]) == (True, ["email"], self.TEXT)
        assert api.get("/prompts/e-2").json["has_pii"] is False
        assert api.get("/responses/r-1").json["has_pii"] is False

    def test_it_is_redacted_wherever_it_is_and_a_replay_is_known(
        self, caller: CallerAs, graph: Graph, tenant: str
    ) -> None:
        self.tenant_says(graph, tenant, "redact")
        api = caller()
        about = {
            "session": {"id": "s-1"},
            "prompt": {"text": self.TEXT, "metadata": {"to": [self.TEXT]}},
        }
        event = prompt("e-1") | about
        assert outcomes(api.post("/events", event)) == ["stored"]
        read = api.get("/prompts/e-1").json
        assert read["text"] == "Write to [email], please."
        assert read["metadata"] == {"to": ["Write to [email], please."]}
        assert outcomes(api.post("/events", event)) == ["duplicate"]
        other = prompt("e-1", self.TEXT.replace("maria", "peter"))
        assert outcomes(api.post("/events", other)) == ["dead_lettered"]
        kept = graph.read(
            "MATCH (n {tenant_id: $tenant}) RETURN [k IN keys(n) | toStringOrNull(n[k])] AS v",
            tenant=tenant,
        )
        assert "keller" not in str(kept)

    def test_it_is_refused(self, caller: CallerAs, graph: Graph, tenant: str) -> None:
        self.tenant_says(graph, tenant, "refuse")
        api = caller()
        answer = api.post("/events", [prompt("e-1", self.TEXT), prompt("e-2")])
        assert outcomes(answer) == ["rejected", "stored"]
        assert answer.json["items"][0]["problem"]["code"] == "personal_data"
        single = api.post("/sessions/s-1/prompts", {"prompt": {"text": self.TEXT}})
        assert (single.status_code, single.json["code"]) == (422, "personal_data")
        assert "maria" not in single.text
