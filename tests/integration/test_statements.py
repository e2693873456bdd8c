"""Every statement that the program can send is planned on the real server as it should be."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from memgraph.cli.stack import DEMO_FILE
from memgraph.domain.events import read_event
from memgraph.domain.schema import GraphModel
from memgraph.domain.selection import Selection
from memgraph.domain.times import BiTemporal
from memgraph.graph import digest, export
from memgraph.graph.counts import read_census, store_statement
from memgraph.graph.credentials import CredentialStore
from memgraph.graph.dead_letters import DeadLetterStore
from memgraph.graph.deletion import Deletion
from memgraph.graph.embedding import EmbeddingQueue
from memgraph.graph.hashes import FactHashes
from memgraph.graph.lease import Lease
from memgraph.graph.neighbours import NeighbourReader, segments_of
from memgraph.graph.nodes import NodeReader
from memgraph.graph.outbox import Outbox
from memgraph.graph.pending import ADDABLE, PendingMessages
from memgraph.graph.queries import load_queries
from memgraph.graph.reader import Reader
from memgraph.graph.search import Searcher
from memgraph.graph.selection import count_of_store
from memgraph.graph.selector import Selector
from memgraph.graph.session import Graph
from memgraph.graph.traces import Finished, Fragment, TraceInbox
from memgraph.graph.traversal import Direction, neighbours, node_map
from memgraph.graph.writer import Writer
from memgraph.ids import now
from memgraph.services.ingest import formats
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.ingest.service import Ingestion
from tests.support.events import at, event, late_events, small_story
from tests.support.pipelines import plain_pipeline
from tests.support.recording import RecordingGraph
from tests.support.selections import is_order, selections
from tests.support.statements import (
    GENERATORS,
    all_statements,
    generators,
    without_columns,
)

FEW, MANY = 1, 500
"""Rows of a batch: the planner looks at the length of the list."""

EAGER = {
    r"merge_new \w+": "says what was known only when every row is merged",
    r"mention \w+": "says what was known only when every row is merged",
    r"merge_fact_edges .+": "says what was known only when every row is merged",
    r"restore create_\w+": "says what was known only when every row is merged",
    r"fill_placeholders \w+": "locks every row before it reads the first",
    r"lock_and_read \w+": "locks every row before it reads the first",
    r"restore restore_\w+": "locks every row before it reads the first",
    r"constant splice\.MOVE_TAILS": "locks every row before it reads the first",
    r"merge_edges .+": "looks for every edge before it makes the first",
    r"constant splice\.LINK_STATED": "two ends of one class: a merge may make what is found",
    r"constant splice\.UNLINK": "finds every edge before it deletes the first",
    r"constant splice\.SET_GAPS": "finds every edge before it changes the first",
    r"bury \w+": "finds every edge before it deletes the first",
    r"delete_edges .+": "finds every edge before it deletes the first",
    r"restore merge_response_transfers_to_agent": "locks every row before it reads the first",
    r"constant embedding\.TAKE_PENDING": "reads every marker before it removes the first",
    r"constant traces\.KEEP_FRAGMENTS": "says what was known only when every row is merged",
    r"constant traces\.TAKE": "locks every trace before it reads the first",
    r"constant traces\.REMOVE_\w+": "finds everything before it deletes the first",
    r"constant outbox\.REMOVE_OLD": "finds every entry before it deletes the first",
    r"constant dead_letters\.REMOVE_LETTERS": "finds every letter before it deletes the first",
    r"complete \w+": "locks every row before it reads the first",
    r"constant (ledger\.COUNT_EVENTS|outbox\.APPEND|lease\.HOLD)": "one row",
    r"constant migration(s|_lock)\.\w+": "one row",
}
"""Statements that may hold all rows back, and why they must."""

SCANS = {
    r"constant migrations\.\w+": "finds its place among the migrations, a few nodes",
    r"constant credentials\.LIST_TENANTS": "lists the tenants, for operators",
    r"constant outbox\.READ_WAITING": "looks into the outbox of each tenant, for operators",
    r"constant embedding\.LIST_WAITING_TENANTS": "lists the tenants, for workers",
    r"constant traces\.LIST_DUE_TENANTS": "lists the tenants, for workers",
    r"(select|tally|found) .+ by words": "the full-text index knows no tenants: filtered behind it",
}
"""Statements that may read a whole label."""

NO_TENANT = {
    r"constant migration(s|_lock)\.\w+": "migrations belong to the database",
    r"constant embedding\.LIST_WAITING_TENANTS": "asks every tenant whether it waits, for workers",
    r"constant traces\.LIST_DUE_TENANTS": "asks every tenant whether it waits, for workers",
    r"constant outbox\.(FIND_TENANT|READ_WAITING)": "finds the tenants whose events wait",
}
"""Statements that may read nodes of no tenant."""

UNSCOPED_HOPS = {
    r"constant splice\.\w+": "follows edges that the writer made between two keys of one tenant",
    r"constant writer\.\w+": "follows edges that the writer made between two keys of one tenant",
    r"constant migrations\._HISTORY": "migrations belong to the database",
    r"bury \w+": "deletes every edge of what is deleted",
    r"count by store": "counts for a tenant that is alone, and all edges that touch what is hidden",
}
"""Statements that may follow an edge without asking whose node is at its end."""

INDEXED = {
    "NodeUniqueIndexSeek",
    "NodeUniqueIndexSeek(Locking)",
    "NodeIndexSeek",
    "NodeVectorIndexSearch",
    "MergeUniqueNode",
}
COUNTED = {"NodeCountFromCountStore", "RelationshipCountFromCountStore"}
NO_NODES = {"Argument", "Unwind", "Projection", "EmptyRow"}

VALUES: dict[str, Any] = {
    "string": "x",
    "integer": 1,
    "float": 1.0,
    "boolean": True,
    "datetime": datetime(2026, 1, 1, tzinfo=UTC),
}
"""One of each type of property that an index may be on."""

Plan = dict[str, Any]
Operator = tuple[str, str]
"""Name and details of a step of a plan."""


def _sample(model: GraphModel) -> dict[str, Any]:
    """A value for every parameter that a statement may have."""
    values = VALUES
    sample: dict[str, Any] = {
        name: values[spec.by_name[name].type]
        for spec in model.nodes.values()
        for name in spec.identity
    }
    sample |= {
        "write_id": 1,
        "reason": "x",
        "ids": ["x"],
        "limit": 100,
        "limits": "{}",
        "pii_policy": "flag",
        "depth": 6,
        "fan_out": 50,
        "max_nodes": 1_000,
    }
    sample |= {"id": "x", "name": "x", "owner": "x", "tool_name": "x"}
    sample |= {f"after_{i}": "" for i in range(6)}
    sample |= dict.fromkeys(("version", "after", "baseline", "lock_id"), "V001")
    sample |= dict.fromkeys(("description", "source", "checksum", "by", "connected_as"), "x")
    sample |= {"at": "2026-01-01T00:00:00Z", "links": 100}
    sample |= dict.fromkeys(("as_of", "recorded_as_of"), values["datetime"])
    sample |= {f"{of}_{n}": v for n, v in list(sample.items()) for of in ("root", "related_0")}
    sample |= {f"related_1_{n}": v for n, v in list(sample.items())}
    sample |= {f"value_{i}": "x" for i in range(3)}
    sample |= {"after_sequence": 1, "sequence": 1, "keep_s": 1, "slot": "x", "job": "x"}
    sample |= {"words": "x", "vector": [0.1] * 256, "hits": 100, "segment": -1}
    sample |= {"prompt_ids": ["x"], "characters": 100, "lease_ms": 1}
    return sample | {"took_ms": 1, "dead_after_s": 1}


def _operators(plan: Plan) -> Iterator[tuple[Operator, list[Plan]]]:
    children = plan.get("children") or []
    name = plan["operatorType"].partition("@")[0]
    yield (name, str(plan["args"].get("Details", ""))), children
    for child in children:
        yield from _operators(child)


def _explain(graph: Graph, text: str, parameters: dict[str, Any]) -> Plan:
    needed = set(re.findall(r"\$(\w+)", text))
    missing = needed - parameters.keys()
    assert not missing, f"no sample for {missing}: add one to _sample"
    with graph.driver.session(database=graph.database) as session:
        result = session.run(f"EXPLAIN {text}", {n: parameters[n] for n in needed})
        plan: Plan | None = result.consume().plan
    assert plan is not None
    return plan


Plans = dict[str, list[Plan]]
"""By name of the statement."""


def _explain_all(graph: Graph, texts: dict[str, str], sample: dict[str, Any]) -> Plans:
    def explain(name: str) -> list[Plan]:
        # What is generated has one form for all classes; what is written by hand is tried twice.
        sizes = (FEW, MANY) if name.startswith("constant") else (MANY,)
        return [_explain(graph, texts[name], {**sample, "rows": [{}] * size}) for size in sizes]

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(texts, pool.map(explain, texts), strict=True))


@pytest.fixture(scope="module")
def texts(model: GraphModel) -> dict[str, str]:
    return all_statements(model)


@pytest.fixture(scope="module")
def populated(graph: Graph, model: GraphModel) -> None:
    """Some nodes with every property: the planner takes an empty index for one to be scanned."""
    tenant = f"plans-{uuid.uuid4()}"
    for spec in model.nodes.values():
        kept = {p.name: VALUES[p.type] for p in spec.properties if p.type in VALUES}
        for i in range(20):
            unique = {name: f"{tenant}-{i}" for name in spec.key if name in kept}
            key = {n: v for n, v in unique.items() if spec.by_name[n].type == "string"}
            numbers = {n: i for n in spec.key if spec.by_name[n].type == "integer"}
            properties = {**kept, **key, **numbers, "tenant_id": f"{tenant}-{i}"}
            graph.run(f"CREATE (n:{spec.label}) SET n = $properties", properties=properties)
    graph.run("CALL db.prepareForReplanning(120)")


@pytest.fixture(scope="module")
def plans(graph: Graph, model: GraphModel, texts: dict[str, str], populated: None) -> Plans:
    return _explain_all(graph, texts, _sample(model))


def _matching(table: dict[str, str], name: str) -> str | None:
    return next((pattern for pattern in table if re.fullmatch(pattern, name)), None)


def _check(found: set[str], table: dict[str, str]) -> None:
    """What was found is listed, and what is listed was found."""
    assert not {name for name in found if _matching(table, name) is None}
    used = {_matching(table, name) for name in found}
    assert set(table) == used, "the table has an entry that nothing needs"


def _steps(plans: Plans) -> Iterator[tuple[str, Operator, list[Plan]]]:
    for name, several in plans.items():
        for plan in several:
            for operator, children in _operators(plan):
                yield name, operator, children


def test_the_leaves_are_index_entries(plans: Plans) -> None:
    known = INDEXED | COUNTED | NO_NODES
    others = {
        (name, operator[0])
        for name, operator, children in _steps(plans)
        if not children and operator[0] not in known
    }
    assert not {o for o in others if _matching(SCANS, o[0]) is None}
    assert {_matching(SCANS, name) for name, _ in others} == set(SCANS)


def test_every_seek_is_for_one_tenant(plans: Plans) -> None:
    mixed = {
        name
        for name, (operator, details), _ in _steps(plans)
        if operator in INDEXED
        and not re.search(r"\btenant_id = \$tenant_id\b", details)
        and not re.search(r"tenant_id: \$tenant_id\b", details)
    }
    _check(mixed, NO_TENANT)


def test_no_product_of_many_rows(plans: Plans) -> None:
    one_row = {"NodeUniqueIndexSeek", "NodeUniqueIndexSeek(Locking)", "Argument"}
    wide = set()
    for name, (operator, _), children in _steps(plans):
        if operator == "CartesianProduct":
            below = {found[0] for child in children for found, _ in _operators(child)}
            if not below <= one_row:
                wide.add((name, frozenset(below)))
    assert not wide


def test_merged_nodes_are_locked_by_their_key(plans: Plans, texts: dict[str, str]) -> None:
    for name, several in plans.items():
        merged = len(re.findall(r"\bMERGE \(\w+:", texts[name]))
        if name not in SCANS and _matching(SCANS, name) is None:
            assert [_locking_merges(plan) for plan in several] == [merged] * len(several), name


def _locking_merges(plan: Plan) -> int:
    count = 0
    for (operator, _), children in _operators(plan):
        below = {found[0] for child in children for found, _ in _operators(child)}
        is_merge = operator == "Merge" and "NodeUniqueIndexSeek(Locking)" in below
        count += is_merge or operator == "MergeUniqueNode"
    return count


def test_rows_are_held_back_only_where_it_is_meant(plans: Plans) -> None:
    _check({name for name, (operator, _), _ in _steps(plans) if operator == "Eager"}, EAGER)


def test_every_hop_asks_for_the_tenant(plans: Plans) -> None:
    _check({name for name, several in plans.items() if any(map(_unscoped, several))}, UNSCOPED_HOPS)


_HOP = re.compile(r"\([^()]*\)<?-\[[^\]]*\]->?\(([^()]*)\)")
_TRAVELS = re.compile(r"(Optional)?Expand\(All\)|VarLengthExpand.*|.*ShortestPath.*")


def _unscoped(plan: Plan) -> set[str]:
    """Nodes that an edge leads to and nothing compares with the tenant."""
    steps = [(name, told.replace("`", "")) for (name, told), _ in _operators(plan)]
    hops = [_HOP.search(told) for name, told in steps if _TRAVELS.fullmatch(name)]
    assert all(hops)
    compared = " ".join(told for _, told in steps)
    return {
        hop[1]
        for hop in hops
        if hop and not re.search(rf"\b{hop[1]}\.tenant_id\]? (=|IN) \[?\$tenant_id", compared)
    }


@pytest.mark.parametrize("label", ["Response", "ToolInvocation", "Prompt", "Session"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_every_step_of_a_lineage_asks_for_the_tenant(
    graph: Graph, model: GraphModel, label: str, direction: Direction
) -> None:
    # In the statement itself the steps are inside an expression, which the server does not explain.
    spec = model.nodes[label]
    text = (
        f"MATCH (n:{label} {{tenant_id: $tenant_id, {spec.key[0]}: ${spec.key[0]}}})\n"
        f"{neighbours(model, direction)}\nRETURN {node_map(model)} AS node, m, edge"
    )
    plan = _explain(graph, text, _sample(model))
    assert not _unscoped(plan)
    leaves = {operator for (operator, _), children in _operators(plan) if not children}
    assert leaves <= {"NodeUniqueIndexSeek", "Argument"}


def test_a_query_returns_the_columns_of_its_header(plans: Plans) -> None:
    for name, query in load_queries().items():
        (plan,) = plans[f"query {name}"]
        (_, columns), _ = next(_operators(plan))
        said = query.header["columns"]
        if not said.startswith("see impact/summary"):
            assert columns.split(", ") == [column.split()[0] for column in said.split(", ")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("MATCH (p:Prompt {tenant_id: $tenant_id}) RETURN p", "NodeByLabelScan"),
        ("MATCH (p:Prompt {prompt_id: $prompt_id}) RETURN p", "NodeByLabelScan"),
        ("MATCH (p) RETURN p", "AllNodesScan"),
        ("MATCH ()-[r:FOLLOWS]->() RETURN r", "DirectedRelationshipTypeScan"),
    ],
)
def test_a_scan_would_be_seen(graph: Graph, model: GraphModel, text: str, fault: str) -> None:
    plan = _explain(graph, text, _sample(model))
    assert fault in {operator for (operator, _), children in _operators(plan) if not children}


def test_a_hop_without_its_tenant_would_be_seen(graph: Graph, model: GraphModel) -> None:
    anchor = "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: $prompt_id})"
    for hop in ("-[:PART_OF]->(s:Session)", "<-[:RESPONDS_TO]-(s:Response)", "-[:FOLLOWS]-(s)"):
        assert _unscoped(_explain(graph, f"{anchor}{hop} RETURN s", _sample(model))) == {"s"}
        text = f"{anchor}{hop} WHERE s.tenant_id = $tenant_id RETURN s"
        assert not _unscoped(_explain(graph, text, _sample(model)))


def test_no_generator_is_forgotten() -> None:
    assert set(generators()) == GENERATORS


def test_what_is_sent_is_checked(
    graph: Graph, model: GraphModel, texts: dict[str, str], tenant: str, tmp_path: Path
) -> None:
    recording = RecordingGraph(graph)
    _write_everything(recording, model, tenant)
    _ask_everything(recording, model, tenant, tmp_path)
    known = {without_columns(text) for text in texts.values()}
    sent = {without_columns(text) for text in recording.sent}
    assert not sent - known
    unsent = {_family(name) for name in texts} - {
        _family(name) for name, text in texts.items() if without_columns(text) in sent
    }
    assert not {name for name in unsent if not name.startswith("constant migration")}


def _family(name: str) -> str:
    is_generated = not name.startswith(("constant", "query"))
    return name.split()[0] if is_generated else name


def _write_everything(graph: Graph, model: GraphModel, tenant: str) -> None:
    """In every order and with every fault, so that every way through the writer is gone."""
    writer = Writer(graph, model)
    Ingestion(plain_pipeline(writer), tenant_id=tenant, source="demo").run(formats.read(DEMO_FILE))
    story = small_story()
    conflict = event(event_id="p0", timestamp=at(0), prompt={"text": "other"}, session={"id": "s1"})
    cycle = [
        event(
            type="template",
            event_id=f"cycle-{one}",
            timestamp=at(0),
            template={
                "id": one,
                "version": "1.0.0",
                "name": "C",
                "text": "c",
                "parent": {"id": other, "version": "1.0.0"},
            },
        )
        for one, other in (("c1", "c2"), ("c2", "c1"))
    ]
    backwards = [story[i : i + 8] for i in range(0, len(story), 8)][::-1]
    ties = [
        [event(event_id=id_, timestamp=at(0), prompt={"text": "t"}, session={"id": "ties"})]
        for id_ in ("tie-1", "tie-2")
    ]
    handoff = event(
        type="handoff",
        event_id="h-named",
        timestamp=at(0),
        response_id="r0",
        to_agent_id="a1",
        from_agent_id="only named",
    )
    for batch in (*backwards, story, [conflict], cycle, *ties, [handoff]):
        writer.write(tenant, [to_mutation(read_event(e), e) for e in batch], source="test")


def _ask_everything(graph: Graph, model: GraphModel, tenant: str, folder: Path) -> None:
    reader = Reader(graph, model)
    reader.get_thread(tenant, "s-0033")
    reader.get_lineage(tenant, "response", "s-0033-p2-r3")
    reader.get_impact(tenant, "template", "tpl-triage@1.0.0")
    reader.get_impact(tenant, "model", "auster-mini")
    reader.get_impact(tenant, "document", "doc-returns-policy#3")
    reader.get_impact(tenant, "tool", "order_lookup")
    reader.list_tool_failures(tenant)
    reader.list_agent_network(tenant)
    reader.get_error_path(tenant, "err-0020-4")
    reader.list_genealogy(tenant, "tpl-triage")
    reader.count(tenant)
    NodeReader(graph, model).get(tenant, "Prompt", ("s-0033-p2",))
    keys = CredentialStore(graph, model)
    keys.create_api_key(tenant, {"key_id": "k", "created_at": now()})
    keys.find_api_key(tenant, "k")
    keys.revoke_api_key(tenant, "k", now())
    keys.list_api_keys(tenant)
    keys.list_tenants()
    keys.change_terms(tenant, lambda known: {**known, "pii_policy": "redact"}, now())
    reader.list_template_versions(tenant, "tpl-triage")
    reader.list_template_line(tenant, "tpl-triage", "1.0.0")
    reader.list_template_texts(tenant)
    reader.list_sources(tenant)
    pending = PendingMessages(graph, model)
    for label, key in (("Prompt", "prompt_id"), ("Response", "response_id")):
        assert not pending.list_pending(tenant, label, 10)
        found = dict.fromkeys((*ADDABLE, "pending", "computed"))
        assert not pending.complete(tenant, label, [{key: "x", **found}])
    letters = DeadLetterStore(graph, model)
    letters.list_letters(tenant, source=None, reason=None, after="", limit=10)
    letters.read(tenant, ["x"])
    letters.note_attempt(tenant, ["x"])
    letters.remove(tenant, ["x"])
    FactHashes(graph, model).find(tenant, "Prompt", [("x",)])
    reader.list_model_versions(tenant, "auster-mini")
    reader.list_model_prices(tenant, "auster-mini", now())
    reader.get_agent_metrics(tenant, "human")
    reader.list_agent_configurations(tenant, "human", BiTemporal(now()))
    reader.get_session_summary(tenant, "s-0033")
    digest.digest(graph, model, tenant)
    target = folder / "graph.jsonl"
    export.export(graph, model, tenant, target)
    export.import_(graph, model, f"{tenant}-copy", target)
    export.import_(graph, model, f"{tenant}-copy", target)
    _embed_everything(graph, tenant)
    _relay_everything(graph, tenant)
    _assemble_everything(graph, tenant)
    Deletion(graph, model).delete_session(tenant, "s1")
    late = [to_mutation(read_event(e), e) for e in late_events()]
    Writer(graph, model).write(tenant, late, source="test")
    _select_everything(graph, model, tenant)
    read_census(graph, model)
    graph.read(store_statement(model), tenant_id=tenant)  # `count` sends it to one tenant alone


def _assemble_everything(graph: Graph, tenant: str) -> None:
    inbox = TraceInbox(graph)
    inbox.keep(tenant, [Fragment("t", "content", wait_s=0.0)])
    assert tenant in inbox.list_tenants()
    assert inbox.count_waiting(tenant) == 1
    number, [taken] = inbox.take(tenant, 10)
    assert inbox.read(tenant, [taken.trace_id]) == {"t": ["content"]}
    inbox.find_finished_calls(tenant, ["x"])
    inbox.finish(tenant, number, [Finished("t", wait_s=0.0, is_assembled=True)])
    inbox.remove(tenant, number, ["t"])


def _relay_everything(graph: Graph, tenant: str) -> None:
    lease = Lease(graph, "job", tenant)
    lease.hold()
    lease.let_go()
    outbox = Outbox(graph)
    outbox.find_tenant("")
    outbox.sessions_of(
        tenant, [(label, ("x",)) for label in ("Prompt", "Response", "ToolInvocation")]
    )
    [first] = outbox.list_entries(tenant, 0, 1)
    outbox.remove(tenant, first.sequence)
    outbox.remove_old(tenant, 3_600)


def _embed_everything(graph: Graph, tenant: str) -> None:
    queue = EmbeddingQueue(graph)
    queue.request_all(tenant)
    assert tenant in queue.list_tenants()
    pending = queue.list_pending(tenant, 10_000)
    queue.read_texts(tenant, [one.prompt_id for one in pending], 100)
    queue.finish(tenant, pending, "m", {one.text_sha256: [1.0] * 256 for one in pending})


def _select_everything(graph: Graph, model: GraphModel, tenant: str) -> None:
    selector, searcher = Selector(graph, model), Searcher(graph)
    prompt = model.nodes["Prompt"]
    with graph.driver.session(database=graph.database) as session:  # a list has what it sorts by
        enrich = "MATCH (p:Prompt {tenant_id: $tenant}) SET p.matched_template = 'x'"
        session.run(f"{enrich}, p.enrichment_pending = 'language'", tenant=tenant).consume()
    for name, selection in selections(model):
        if name.startswith("Prompt"):
            checked = selector.check(selection)
            end = selector.page(tenant, checked, limit=1).end
            if is_order(name):
                assert selector.page(tenant, checked, limit=1, after=end).items
            else:
                selector.count(tenant, checked)
    selector.count(tenant, selector.check(Selection("prompt")))
    graph.read(count_of_store(prompt), tenant_id=tenant)  # sent to one tenant alone
    searcher.by_text(tenant, prompt, "order", (), limit=1)
    searcher.by_vector(tenant, prompt, [1.0] * 256, (), limit=1)
    NeighbourReader(graph).page(tenant, prompt, ("s-0033-p2",), segments_of(model, prompt), limit=1)
