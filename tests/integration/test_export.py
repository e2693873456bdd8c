"""Export and import: exact in every format, under any tenant, twice; strict about the rest."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from memgraph.derive.factories import make_node, make_properties
from memgraph.domain.errors import Conflict, InvalidInput
from memgraph.domain.events import read_event
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec
from memgraph.graph.digest import Digest, digest
from memgraph.graph.export import FORMATS, Format, export, import_, restore
from memgraph.graph.export.records import content_edges, content_nodes
from memgraph.graph.plan import RowMapper
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.ids import uuid7
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.events import at, event, small_story

NASTY = "\"quotes\" 'n' \\ back\nlines\r\n\ttabs \x01\x1f 👩‍👩‍👧 \ufffe ]]> &amp; <x/> \u2028"
AT = "2026-03-04T05:06:07.000000Z"
HEADER = {"format": "memgraph-export", "version": 1}

every_format = pytest.mark.parametrize("format_", FORMATS)
Save = Callable[[Format], Path]


def write(writer: Writer, tenant: str, *events: bytes) -> None:
    writer.write(tenant, [to_mutation(read_event(e), e) for e in events])


def prompt(id_: str, text: str = "hello", **more: Any) -> bytes:
    return event(event_id=id_, timestamp=at(0), prompt={"text": text}, session={"id": "s"}, **more)


def handoff(reason: str) -> bytes:
    return event(
        type="handoff",
        event_id="h",
        timestamp=at(0),
        response_id="r",
        to_agent_id="a",
        handoff_reason=reason,
    )


def stored(spec: NodeSpec | EdgeSpec, properties: dict[str, Any]) -> dict[str, Any]:
    """Properties as the graph keeps them."""
    times = {n: v for n, v in properties.items() if isinstance(v, datetime)}
    return {**RowMapper(spec)(properties), **times}


def one_of_each(graph: Graph, model: GraphModel, tenant: str) -> None:
    """A node of every class that is content, and every relationship."""
    nodes = {}
    for i, spec in enumerate(content_nodes(model)):
        row = stored(spec, make_node(spec, i, tenant_id=tenant))
        nodes[spec.label] = {name: row[name] for name in spec.identity}
        graph.run(f"CREATE (n:{spec.label}) SET n = $row", row=row)
    for i, edge in enumerate(content_edges(model)):
        start, end = (
            ", ".join(f"{name}: ${side}.{name}" for name in model.nodes[label].identity)
            for side, label in (("a", edge.start), ("b", edge.end))
        )
        graph.run(
            f"MATCH (a:{edge.start} {{{start}}}) MATCH (b:{edge.end} {{{end}}}) "
            f"CREATE (a)-[r:{edge.type}]->(b) SET r = $row",
            a=nodes[edge.start],
            b=nodes[edge.end],
            row=stored(edge, make_properties(edge, i)),
        )


@pytest.fixture(scope="module")
def source(graph: Graph, model: GraphModel) -> tuple[str, Digest]:
    """A tenant with everything: a story, every class, hard texts, placeholders, a tombstone."""
    tenant = f"tenant-{uuid7()}"
    hard = prompt("k:%/é 👩", NASTY, tags=["x", NASTY], previous_prompt_id="not yet")
    write(Writer(graph, model), tenant, *small_story(), hard)
    one_of_each(graph, model, tenant)
    graph.run("CREATE (:Prompt:Tombstone {tenant_id: $t, prompt_id: 'gone'})", t=tenant)
    return tenant, digest(graph, model, tenant)


@pytest.fixture
def save(graph: Graph, model: GraphModel, source: tuple[str, Digest], tmp_path: Path) -> Save:
    """Export the source in a format."""

    def save_as(format_: Format) -> Path:
        path = tmp_path / f"saved.{format_}"
        export(graph, model, source[0], path, format_)
        return path

    return save_as


def jsonl(tmp_path: Path, *lines: dict[str, Any]) -> Path:
    """A file made by hand, with right totals."""
    nodes = sum("node" in line for line in lines)
    totals = {"nodes": nodes, "relationships": len(lines) - nodes}
    path = tmp_path / "hand.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, [HEADER, *lines, {"totals": totals}])))
    return path


def node(label: str, *labels: str, **properties: Any) -> dict[str, Any]:
    given = properties if labels else {"created_at": AT, **properties}
    return {"node": label, "labels": labels, "properties": given}


def edge(start: list[str], type_: str, end: list[str], **properties: Any) -> dict[str, Any]:
    return {"relationship": type_, "start": start, "end": end, "properties": properties}


def read_node(graph: Graph, tenant: str, label: str, **key: str) -> dict[str, Any] | None:
    """Labels and properties of a node, None when there is none."""
    ((name, value),) = key.items()
    rows = graph.read(
        f"MATCH (n:{label} {{tenant_id: $t, {name}: $value}}) "
        "RETURN [l IN labels(n) WHERE l <> $label] AS extra, properties(n) AS properties",
        t=tenant,
        value=value,
        label=label,
    )
    return {"extra": rows[0]["extra"], **rows[0]["properties"]} if rows else None


# Round trips


@every_format
def test_an_import_restores_exactly_and_twice(
    graph: Graph,
    model: GraphModel,
    source: tuple[str, Digest],
    tenant: str,
    tmp_path: Path,
    format_: Format,
) -> None:
    owner, whole = source
    done: list[int] = []
    totals = export(graph, model, owner, tmp_path / "saved", format_, done.append)
    counts = (sum(whole.nodes.values()), sum(whole.relationships.values()))
    assert (totals.nodes, totals.relationships, totals.digest) == (*counts, whole.value)
    assert done == sorted(done)
    assert done[-1] == sum(counts)
    for _ in range(2):
        done.clear()
        back = import_(graph, model, tenant, tmp_path / "saved", on_progress=done.append)
        assert (back.nodes, back.relationships, back.skipped) == (*counts, 0)
        assert done == sorted(done)
        assert done[-1] == sum(counts)
        assert digest(graph, model, tenant) == whole
    assert read_node(graph, tenant, "Tenant", name=tenant) is not None
    assert read_node(graph, tenant, "Prompt", prompt_id="not yet")["extra"] == ["Placeholder"]
    assert read_node(graph, tenant, "Prompt", prompt_id="k:%/é 👩")["text"] == NASTY


def test_importing_touches_no_other_tenant(
    graph: Graph, model: GraphModel, source: tuple[str, Digest], tenant: str, save: Save
) -> None:
    owner, whole = source
    path = save("jsonl")
    import_(graph, model, tenant, path)
    graph.run("MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p1'}) DETACH DELETE p", t=tenant)
    assert digest(graph, model, owner) == whole
    import_(graph, model, tenant, path)
    assert digest(graph, model, tenant) == whole


@pytest.mark.parametrize("format_", ["jsonl", "graphml"])
def test_a_name_can_ask_for_gzip(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str, tmp_path: Path, format_: Format
) -> None:
    write(writer, tenant, prompt("p", NASTY))
    path = tmp_path / f"saved.{format_}.gz"
    export(graph, model, tenant, path, format_)
    assert b"memgraph-export" in gzip.decompress(path.read_bytes())
    import_(graph, model, f"{tenant}-copy", path)
    assert digest(graph, model, f"{tenant}-copy") == digest(graph, model, tenant)


def test_batches_of_any_size_restore_the_same(
    graph: Graph,
    model: GraphModel,
    source: tuple[str, Digest],
    tenant: str,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restore, "BATCH_ROWS", 7)
    monkeypatch.setattr(restore, "BATCH_BYTES", 6_000)
    import_(graph, model, tenant, save("jsonl"))
    assert digest(graph, model, tenant) == source[1]


def test_two_exports_of_one_graph_are_the_same(save: Save) -> None:
    first, second = (save("jsonl").read_bytes().splitlines()[1:] for _ in range(2))
    assert first == second
    assert orjson.loads(first[-1])["digest"]


def test_living_nodes_take_events_after_an_import(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str, save: Save
) -> None:
    """Clocks and tails came along: the stream goes on as if nothing had happened."""
    import_(graph, model, tenant, save("jsonl"))
    before = digest(graph, model, tenant)
    write(writer, tenant, *small_story())
    assert digest(graph, model, tenant) == before
    late = event(type="session", event_id="z", timestamp=at(1), session={"id": "s1", "title": "x"})
    write(writer, tenant, late)
    assert digest(graph, model, tenant) == before


# What the tenant has already


def test_a_fact_with_other_content_is_a_conflict(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str, tmp_path: Path
) -> None:
    write(writer, tenant, prompt("a"), prompt("b", "one"), prompt("c"))
    export(graph, model, tenant, tmp_path / "saved")
    write(writer, f"{tenant}-2", prompt("b", "two"))
    before = digest(graph, model, f"{tenant}-2").nodes["Prompt"]
    with pytest.raises(Conflict) as caught:
        import_(graph, model, f"{tenant}-2", tmp_path / "saved")
    assert (caught.value.facts["label"], caught.value.facts["key"]) == ("Prompt", "b")
    assert "Prompt b" in str(caught.value)
    assert digest(graph, model, f"{tenant}-2").nodes["Prompt"] == before


def test_a_relationship_with_other_content_is_a_conflict(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str, tmp_path: Path
) -> None:
    write(writer, tenant, handoff("one"))
    export(graph, model, tenant, tmp_path / "saved")
    import_(graph, model, tenant, tmp_path / "saved")
    write(writer, f"{tenant}-2", handoff("two"))
    with pytest.raises(Conflict, match="TRANSFERS_TO r, a"):
        import_(graph, model, f"{tenant}-2", tmp_path / "saved")


def test_what_is_no_fact_becomes_what_the_file_says(
    graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
) -> None:
    graph.run(
        "CREATE (:User:Placeholder {tenant_id: $t, user_id: 'a'}), "
        "(:User {tenant_id: $t, user_id: 'b', name: 'B', metadata: '{}'})",
        t=tenant,
    )
    users = [node("User", user_id="a", name="A"), node("User", user_id="b")]
    import_(graph, model, tenant, jsonl(tmp_path, *users))
    first, second = (read_node(graph, tenant, "User", user_id=u) for u in "ab")
    assert (first["extra"], first["name"]) == ([], "A")
    assert (second.get("name"), second.get("metadata")) == (None, None)


def test_a_placeholder_of_the_file_changes_nothing(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str, tmp_path: Path
) -> None:
    write(writer, tenant, prompt("p"))
    before = digest(graph, model, tenant)
    import_(graph, model, tenant, jsonl(tmp_path, node("Prompt", "Placeholder", prompt_id="p")))
    assert digest(graph, model, tenant) == before


def test_an_import_brings_nothing_back_that_was_deleted(
    graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
) -> None:
    graph.run("CREATE (:User:Tombstone {tenant_id: $t, user_id: 'u'})", t=tenant)
    before = digest(graph, model, tenant)
    path = jsonl(
        tmp_path,
        node("User", user_id="u", name="secret"),
        node("Session", session_id="s"),
        edge(["Session", "s"], "STARTED_BY", ["User", "u"]),
    )
    totals = import_(graph, model, tenant, path)
    assert (totals.nodes, totals.relationships, totals.skipped) == (1, 0, 2)
    graph.run("MATCH (s:Session {tenant_id: $t, session_id: 's'}) DELETE s", t=tenant)
    assert digest(graph, model, tenant) == before


def test_a_tombstone_of_the_file_is_restored(
    graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
) -> None:
    path = jsonl(
        tmp_path,
        node("User", "Tombstone", user_id="u"),
        node("Session", session_id="s"),
        edge(["Session", "s"], "STARTED_BY", ["User", "u"]),
    )
    for _ in range(2):
        totals = import_(graph, model, tenant, path)
        assert (totals.nodes, totals.relationships, totals.skipped) == (2, 1, 0)
    assert read_node(graph, tenant, "User", user_id="u")["extra"] == ["Tombstone"]


def test_a_key_that_comes_twice_is_judged_like_one_that_was_there(
    graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
) -> None:
    users = [node("User", user_id="u", name="A"), node("User", user_id="u")]
    import_(graph, model, tenant, jsonl(tmp_path, *users))
    assert "name" not in read_node(graph, tenant, "User", user_id="u")
    scores = [node("Score", score_id="s", fact_hash=i) for i in range(2)]
    with pytest.raises(Conflict, match="Score s"):
        import_(graph, model, tenant, jsonl(tmp_path, *scores))


def test_a_relationship_to_nothing_is_refused(
    graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
) -> None:
    lonely = edge(["Session", "s"], "STARTED_BY", ["User", "u"])
    path = jsonl(tmp_path, node("Session", session_id="s"), lonely)
    with pytest.raises(InvalidInput, match=r"line 3, STARTED_BY\.end: there is no such User"):
        import_(graph, model, tenant, path)
    graph.run("CREATE (:User {tenant_id: $t, user_id: 'u'})", t=tenant)
    assert import_(graph, model, tenant, path).relationships == 1


# Files


@every_format
def test_a_file_that_is_not_whole_writes_nothing(
    graph: Graph, model: GraphModel, tenant: str, save: Save, format_: Format
) -> None:
    path = save(format_)
    part = path / "nodes" / "Prompt.parquet" if format_ == "parquet" else path
    content = part.read_bytes().rstrip()
    for cut in (content[:-1], content[: len(content) * 2 // 3], content[:5]):
        part.write_bytes(cut)
        with pytest.raises(InvalidInput):
            import_(graph, model, tenant, path)
    assert digest(graph, model, tenant).nodes == {}
    assert read_node(graph, tenant, "Tenant", name=tenant) is None


@every_format
def test_a_failed_export_leaves_nothing_behind(
    graph: Graph,
    model: GraphModel,
    source: tuple[str, Digest],
    save: Save,
    tmp_path: Path,
    format_: Format,
) -> None:
    def fail(_: int) -> None:
        raise KeyboardInterrupt

    path = save(format_)
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        export(graph, model, source[0], path, format_, fail)
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before
    export(graph, model, source[0], path, format_)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_targets_that_hold_something_else_are_refused(
    graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    cases: list[tuple[Path, Any]] = [
        (tmp_path / "other", "parquet"),
        (tmp_path / "other" / "file", "parquet"),
        (tmp_path / "other", "jsonl"),
        (tmp_path / "missing" / "saved", "jsonl"),
        (tmp_path / "saved", "csv"),
    ]
    for target, format_ in cases:
        with pytest.raises(InvalidInput):
            export(graph, model, tenant, target, format_)
    assert [p.name for p in tmp_path.rglob("*")] == ["other", "file"]


def test_a_file_is_for_its_owner_only(
    graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
) -> None:
    export(graph, model, tenant, tmp_path / "saved.jsonl")
    assert (tmp_path / "saved.jsonl").stat().st_mode & 0o077 == 0
