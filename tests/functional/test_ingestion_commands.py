"""`ingest status` and `dlq`: what became of what came in, and what was kept aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.functional.conftest import Run
from tests.support.events import at, event


def prompt(text: str, id_: str = "e-1") -> bytes:
    return event(event_id=id_, timestamp=at(0), prompt={"text": text}, session={"id": "s"})


def conflict(run: Run, tmp_path: Path) -> dict[str, Any]:
    """A file with a conflict and a broken line, and the letter that is kept of it."""
    file = tmp_path / "day.jsonl"
    file.write_bytes(b"\n".join([prompt("one"), prompt("two"), prompt("ok", "e-2"), b"{}"]))
    ran = run("ingest", file, "--format", "events", "--json")
    assert ran.code == 1
    assert ran.json == {
        "received": 4,
        "stored": 2,
        "duplicate": 0,
        "rejected": 1,
        "dead_lettered": 1,
    }
    listed: list[dict[str, Any]] = run("dlq", "list", "--json").json
    [letter] = listed
    return letter


def test_status_tells_what_became_of_each_source(run: Run, tmp_path: Path) -> None:
    conflict(run, tmp_path)
    told = run("ingest", "status", "--json")
    assert told.code == 0
    [source] = told.json
    assert source.pop("updated_at")
    assert source == {
        "source": "day.jsonl",
        "received": 4,
        "stored": 2,
        "duplicate": 0,
        "rejected": 1,
        "dead_lettered": 1,
        "kept": 1,
    }
    shown = run("ingest", "status").out
    assert "day.jsonl" in shown
    assert "0 traces waiting" in shown


def test_a_sum_that_is_wrong_is_told(run: Run, tmp_path: Path, graph: Any, tenant: str) -> None:
    conflict(run, tmp_path)
    graph.run(
        "MATCH (s:IngestSource {tenant_id: $tenant}) SET s.received = 5",
        tenant=tenant,
    )
    told = run("ingest", "status")
    assert told.code == 1
    assert "do not add up" in told.err


def test_letters_are_shown_and_dropped(run: Run, tmp_path: Path) -> None:
    letter = conflict(run, tmp_path)
    assert (letter["reason"], letter["stage"], letter["source"]) == (
        "conflict",
        "write",
        "day.jsonl",
    )
    assert "conflict" in run("dlq", "list").out
    assert run("dlq", "list", "--source", "other", "--json").json == []
    id_ = letter["dead_letter_id"]
    assert '"text":"two"' in run("dlq", "show", id_).json["content"]
    assert run("dlq", "drop", id_).out == "dropped\n"
    assert run("dlq", "drop", id_).code == 1
    assert run("dlq", "show", id_).code == 1


def test_letters_are_tried_again(run: Run, tmp_path: Path, graph: Any, tenant: str) -> None:
    id_ = conflict(run, tmp_path)["dead_letter_id"]
    assert run("dlq", "replay").code == 2
    again = run("dlq", "replay", id_, "--json")
    assert (again.code, again.json["dead_lettered"]) == (1, 1)
    graph.run(
        "MATCH (p:Prompt {tenant_id: $tenant, prompt_id: 'e-1'}) DETACH DELETE p", tenant=tenant
    )
    done = run("dlq", "replay", "--all")
    assert (done.code, done.out) == (
        0,
        "1 received, 1 stored, 0 duplicate, 0 rejected, 0 dead-lettered\n",
    )
    assert run("dlq", "replay", "--reason", "conflict", "--json").json["received"] == 0
    assert run("dlq", "list", "--json").json == []


def test_what_was_left_out_can_be_completed(
    run: Run, tmp_path: Path, graph: Any, tenant: str
) -> None:
    conflict(run, tmp_path)
    graph.run(
        "MATCH (p:Prompt {tenant_id: $tenant, prompt_id: 'e-1'}) "
        "SET p.enrichment_pending = 'language matched_template'",
        tenant=tenant,
    )
    assert run("reconcile").out == "1 messages completed\n"
    again = run("reconcile", "--json")
    assert (again.code, again.json) == (0, {"completed": 0})
