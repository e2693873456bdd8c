"""Every command on the real server: text, JSON, exit codes, and what a broken file does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memgraph import cli as command_line
from memgraph.cli.stack import DEMO_FILE
from memgraph.domain.errors import InvalidInput, NotFound
from memgraph.graph.session import Graph
from tests.functional.conftest import Run
from tests.support.events import at, event

SUM = ("stored", "duplicate", "rejected", "dead_lettered")
CANARY = "canary-7f3a"


def good(id_: str, second: int = 0) -> bytes:
    return event(event_id=id_, timestamp=at(second), prompt={"text": "hello"}, session={"id": "s"})


class TestDemoData:
    def test_the_demo_loads_answers_and_loads_again_without_a_change(self, run: Run) -> None:
        first = run("ingest", DEMO_FILE, "--json")
        assert (first.code, first.json["received"], first.json["stored"]) == (0, 983, 983)
        digest = run("digest", "--json").json["digest"]
        again = run("ingest", DEMO_FILE, "--json")
        assert again.json == {**dict.fromkeys(SUM, 0), "received": 983, "duplicate": 983}
        assert run("digest").out.strip() == digest

        thread = run("thread", "s-0004")
        assert "follows s-0004-p2" in thread.out
        assert "handed to Technical desk" in thread.out
        assert len(run("thread", "s-0004", "--json").json["prompts"]) == 6

        lineage = run("lineage", "response", "s-0033-p2-r3")
        for part in ("tpl-support-base@1.1.0", "INFORMED_BY", "price then", "s-0029-p3"):
            assert part in lineage.out
        assert run("lineage", "response", "s-0033-p2-r3", "--format", "dot").out.startswith(
            "digraph"
        )
        assert "<graphml" in run("lineage", "prompt", "s-0004-p2", "--format", "graphml").out
        both = run("lineage", "template", "tpl-triage@1.0.0", "--direction", "both", "--json")
        assert both.json["root"]

        impact = run("impact", "document", "doc-returns-policy-2024#3")
        assert "quality" in impact.out
        assert run("impact", "model", "auster-mini", "--json").json["sessions"] == 40
        assert run("stats", "--json").json["nodes"]["Prompt"] == 142
        assert "ToolInvocation" in run("stats").out

    def test_what_is_not_there_is_said(self, run: Run) -> None:
        for arguments in (
            ("thread", "nothing"),
            ("lineage", "response", "nothing"),
            ("impact", "tool", "nothing"),
        ):
            ran = run(*arguments)
            assert ran.code == 1
            assert isinstance(ran.error, NotFound)
            assert "nothing" in str(ran.error)


class TestSearch:
    def test_the_best_come_first(self, run: Run, graph: Graph, tmp_path: Path) -> None:
        texts = ["the lamp is broken", "a broken [red]cable[/red]", "where is my parcel"]
        path = tmp_path / "events.jsonl"
        path.write_bytes(
            b"\n".join(
                event(event_id=f"p{i}", timestamp=at(i), prompt={"text": t}, session={"id": "s"})
                for i, t in enumerate(texts)
            )
        )
        run("ingest", path)
        graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")
        found = run("search", "lamp broken", "--json").json
        assert [item["id"] for item in found["items"]] == ["p0", "p1"]
        shown = run("search", "cable")
        assert "[red]cable[/red]" in shown.out
        assert "1 found" in shown.out
        assert "0 found" in run("search", "nowhere").out
        assert run("search", "lamp", "--kind", "response", "--json").json["items"] == []

    def test_what_is_no_question_is_refused(self, run: Run) -> None:
        for arguments in (("***",), ("x", "--kind", "agent"), ("\udcff",)):
            ran = run("search", *arguments)
            assert ran.code == 1
            assert isinstance(ran.error, InvalidInput)


class TestRealFiles:
    def test_conversations_load_whole_and_their_totals_are_those_of_the_file(
        self, run: Run, conversations: Path
    ) -> None:
        ran = run("ingest", conversations, "--format", "chat", "--json")
        assert ran.code == 0
        assert ran.json["rejected"] == ran.json["dead_lettered"] == 0
        assert ran.json["received"] == sum(ran.json[name] for name in SUM)
        counts = run("stats", "--json").json
        expected = count_conversations(json.loads(conversations.read_text()))
        assert {k: counts["nodes"].get(k, 0) for k in expected["nodes"]} == expected["nodes"]
        assert {k: counts["relationships"].get(k, 0) for k in expected["edges"]} == expected[
            "edges"
        ]

    def test_prompt_versions_load_whole(self, run: Run, prompt_versions: Path) -> None:
        ran = run("ingest", prompt_versions, "--format", "prompts", "--json")
        lines = [json.loads(line) for line in prompt_versions.read_bytes().splitlines()]
        assert ran.code == 0
        assert (ran.json["stored"], ran.json["rejected"]) == (len(lines), 0)
        counts = run("stats", "--json").json
        assert counts["nodes"]["PromptTemplate"] == len({(r["name"], r["version"]) for r in lines})
        chained = len(lines) - len({r["name"] for r in lines})
        assert counts["relationships"].get("PREVIOUS_VERSION", 0) == chained

    def test_metadata_that_settings_promote_can_be_queried(
        self, run: Run, graph: Any, tenant: str, conversations: Path
    ) -> None:
        run("ingest", conversations)
        task = json.loads(conversations.read_text())[0]["task_id"]
        rows = graph.read(
            "MATCH (s:Session {tenant_id: $tenant_id, metadata_task_id: $task}) "
            "RETURN count(s) AS n",
            tenant_id=tenant,
            task=str(task),
        )
        expected = sum(s["task_id"] == task for s in json.loads(conversations.read_text()))
        assert rows[0]["n"] == expected


def count_conversations(sessions: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What the graph must hold, counted in the file by roles alone."""
    messages = [m for s in sessions for m in s["traj"]]
    calls = [c for m in messages for c in m.get("tool_calls") or ()]
    return {
        "nodes": {
            "Session": len(sessions),
            "Prompt": sum(m["role"] == "user" for m in messages),
            "Response": sum(m["role"] == "assistant" for m in messages),
            "ToolInvocation": len(calls),
            "Score": len(sessions),
        },
        "edges": {
            "INVOKES": len(calls),
            "INFORMED_BY": sum(m["role"] == "tool" for m in messages)
            - sum(s["traj"][-1]["role"] == "tool" for s in sessions),
            "TRANSFERS_TO": sum(c["function"]["name"] == "transfer_to_human_agents" for c in calls),
            "FOLLOWS": sum(m["role"] == "user" for m in messages) - len(sessions),
        },
    }


BROKEN: dict[str, bytes] = {
    "truncated line": good("x")[:-20],
    "unknown field": event(**json.loads(good("x")), colour=CANARY),
    "wrong type": event(event_id="x", timestamp=at(0), prompt={"text": 5}, session={"id": "s"}),
    "too long": event(
        event_id="x", timestamp=at(0), prompt={"text": "a" * 1_000_001}, session={"id": "s"}
    ),
    "from 1970": event(
        event_id="x", timestamp="1970-01-01T00:00:01Z", prompt={"text": CANARY}, session={"id": "s"}
    ),
    "next year": event(
        event_id="x", timestamp="2099-01-01T00:00:01Z", prompt={"text": CANARY}, session={"id": "s"}
    ),
    "long id": event(
        event_id="k" * 10_000, timestamp=at(0), prompt={"text": "x"}, session={"id": "s"}
    ),
    "lone surrogate": good("x").replace(b"hello", b"\\ud800"),
    "NUL": good("x").replace(b"hello", b"a\\u0000b"),
    "deep nesting": good("x").replace(b'"hello"', b"[" * 100_000 + b"]" * 100_000),
    "deep metadata": event(
        **{
            **json.loads(good("x")),
            "prompt": {"text": "x", "metadata": json.loads('{"a":' * 60 + "1" + "}" * 60)},
        }
    ),
    "no type": event(event_id="x", timestamp=at(0)),
    "unknown type": event(type=CANARY, event_id="x", timestamp=at(0)),
    "no JSON": b"hello " + CANARY.encode(),
    "not UTF-8": good("x").replace(b"hello", b"\xff\xfe"),
    "score without target": event(
        type="score", event_id="x", timestamp=at(0), name="n", value=1.0, comment=CANARY
    ),
}


class TestBrokenFiles:
    @pytest.mark.parametrize("what", list(BROKEN))
    def test_a_broken_line_is_named_and_the_good_ones_are_stored(
        self, run: Run, tmp_path: Path, what: str
    ) -> None:
        path = tmp_path / "events.jsonl"
        path.write_bytes(b"\n".join([good("p1"), BROKEN[what], good("p2", 1)]) + b"\n")
        ran = run("ingest", path, "--format", "events", "--json")
        assert ran.code == 1
        assert ran.json == {
            "received": 3,
            "stored": 2,
            "duplicate": 0,
            "rejected": 1,
            "dead_lettered": 0,
        }
        assert "line 2" in ran.err
        assert CANARY not in ran.err + ran.out
        assert len(ran.err) < 1_000
        assert run("stats", "--json").json["nodes"] == {"Prompt": 2, "Session": 1}

    def test_a_conflict_is_dead_lettered_and_said(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "events.jsonl"
        path.write_bytes(good("p") + b"\n" + good("p").replace(b"hello", b"other") + b"\n")
        ran = run("ingest", path, "--json")
        assert ran.code == 1
        assert (ran.json["stored"], ran.json["dead_lettered"]) == (1, 1)
        assert "line 2" in ran.err
        assert "conflict" in ran.err

    def test_a_template_cycle_is_refused(self, run: Run, tmp_path: Path) -> None:
        def template(id_: str, parent: str) -> bytes:
            body = {"id": id_, "version": "1.0.0", "name": id_, "text": "x"}
            body["parent"] = {"id": parent, "version": "1.0.0"}  # type: ignore[assignment]
            return event(type="template", event_id=id_, timestamp=at(0), template=body)

        path = tmp_path / "events.jsonl"
        path.write_bytes(b"\n".join([template("a", "b"), template("b", "a"), good("p")]))
        ran = run("ingest", path, "--json")
        assert ran.code == 1
        assert (ran.json["stored"], ran.json["rejected"]) == (2, 1)
        assert "template cycle" in ran.err

    def test_a_file_of_no_known_kind_is_refused_by_name(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("just text\n")
        ran = run("ingest", path)
        assert ran.code == 1
        assert isinstance(ran.error, InvalidInput)
        assert "notes.txt" in str(ran.error)
        assert run("ingest", tmp_path / "missing.jsonl").code == 1


class TestCopies:
    @pytest.mark.parametrize(
        "name", ["graph.jsonl", "graph.jsonl.gz", "graph.graphml", "g.parquet"]
    )
    def test_an_export_imported_elsewhere_has_the_same_digest(
        self, run: Run, tenant: str, tmp_path: Path, name: str
    ) -> None:
        run("ingest", DEMO_FILE)
        target = tmp_path / name
        exported = run("export", target, "--json")
        assert exported.code == 0
        imported = run("import", target, "--tenant", f"{tenant}-copy", "--json")
        assert imported.json == exported.json
        copy = run("digest", "--tenant", f"{tenant}-copy").out
        assert copy == run("digest").out


class TestShape:
    def test_the_schema_is_that_of_the_classes(self, run: Run) -> None:
        assert run("schema", "diff").out.strip() == "no difference"
        assert run("schema", "diff", "--json").json == {"difference": []}
        assert run("migrate", "--plan", "--json").json == {"pending": []}
        assert run("migrate").out.strip() == "nothing to do"

    def test_config_masks_secrets(self, run: Run) -> None:
        shown = run("config", "--json").json
        assert shown["neo4j"]["password"] == "********"
        assert "neo4j.password = ********" in run("config").out

    def test_every_command_has_help_with_an_example(self, run: Run) -> None:
        for name, command in command_line.cli.commands.items():
            shown = run(name, "--help")
            assert shown.code == 0
            leaves = getattr(command, "commands", {name: command})
            for leaf, found in leaves.items():
                assert f"memgraph {'' if leaf == name else name + ' '}{leaf}" in (
                    found.epilog or ""
                )

    @pytest.mark.parametrize(
        ("variable", "value", "said"),
        [
            ("MEMGRAPH_COLOUR", "red", "MEMGRAPH_COLOUR is not a setting"),
            ("MEMGRAPH_INGEST__BATCH", "many", "ingest.batch"),
        ],
    )
    def test_wrong_settings_are_named_and_end_with_2(
        self,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        variable: str,
        value: str,
        said: str,
    ) -> None:
        monkeypatch.setenv(variable, value)
        monkeypatch.setattr("sys.argv", ["memgraph", "stats"])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        assert ended.value.code == 2
        assert said in capsys.readouterr().err

    def test_what_the_python_client_reads_does_no_harm(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MEMGRAPH_URL", "http://127.0.0.1:8080")
        monkeypatch.setenv("MEMGRAPH_API_KEY", "mg_x.y.z")
        assert run("config", "--json").code == 0

    def test_without_a_server_the_command_says_how_to_start_one(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        monkeypatch.setattr("sys.argv", ["memgraph", "stats", "--data-dir", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        assert ended.value.code == 1
        assert "memgraph up" in capsys.readouterr().err
