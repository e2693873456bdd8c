"""The writing rules: facts once, conflicts kept, any order, nothing half-written."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memgraph.domain.errors import WriteMismatch
from memgraph.domain.events import read_event
from memgraph.domain.mutations import Edge, Mutation, Outcome, WriteResult
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.session import Graph
from memgraph.graph.transaction import Transaction
from memgraph.graph.writer import Writer
from memgraph.ids import uuid7
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.events import at, event, small_story

STORED, DUPLICATE, DEAD = Outcome.STORED, Outcome.DUPLICATE, Outcome.DEAD_LETTERED


def mutations(events: list[bytes]) -> list[Mutation]:
    return [to_mutation(read_event(e), e) for e in events]


def write(writer: Writer, tenant: str, *events: bytes) -> WriteResult:
    return writer.write(tenant, mutations(list(events)), source="test")


def one(graph: Graph, statement: str, tenant: str, **parameters: Any) -> dict[str, Any]:
    rows = graph.read(statement, tenant_id=tenant, **parameters)
    assert len(rows) == 1
    return rows[0]


def prompt(id_: str, second: int, text: str = "hello", **more: Any) -> bytes:
    return event(
        event_id=id_, timestamp=at(second), prompt={"text": text}, session={"id": "s"}, **more
    )


def follows(graph: Graph, tenant: str) -> dict[str, str]:
    rows = graph.read(
        "MATCH (p:Prompt {tenant_id: $tenant_id})-[:FOLLOWS]->(q:Prompt) "
        "WHERE p.prompt_id IS NOT NULL RETURN p.prompt_id AS p, q.prompt_id AS q",
        tenant_id=tenant,
    )
    return {r["p"]: r["q"] for r in rows}


class TestFacts:
    def test_a_second_write_of_the_same_events_changes_nothing(
        self, graph: Graph, model: GraphModel, writer: Writer, tenant: str
    ) -> None:
        story = small_story()
        first = write(writer, tenant, *story)
        before = digest(graph, model, tenant)
        again = write(writer, tenant, *story)
        assert set(first.outcomes) == {STORED}
        assert set(again.outcomes) == {DUPLICATE}
        assert (again.nodes_created, again.relationships_created) == (0, 0)
        assert digest(graph, model, tenant) == before

    def test_other_content_under_a_known_key_is_kept_as_a_dead_letter(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        write(writer, tenant, prompt("p1", 0, "first"))
        other = prompt("p1", 0, "second")
        result = write(writer, tenant, prompt("p2", 1), other)
        assert result.outcomes == [STORED, DEAD]
        assert [r.code for r in result.refusals] == ["conflict"]
        stored = one(
            graph,
            "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: 'p1'}) RETURN p.text AS text",
            tenant,
        )
        assert stored["text"] == "first"
        letter = one(
            graph, "MATCH (d:DeadLetter {tenant_id: $tenant_id}) RETURN d{.*} AS d", tenant
        )["d"]
        assert base64.b64decode(letter["payload"]) == other
        detail = orjson.loads(letter["detail"])
        assert detail["sent_hash"] != detail["stored_hash"]
        assert (letter["source"], letter["reason"]) == ("test", "conflict")

    def test_a_conflict_inside_one_batch_keeps_the_first(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        result = write(
            writer, tenant, prompt("p", 0, "a"), prompt("p", 0, "b"), prompt("p", 0, "a")
        )
        assert result.outcomes == [STORED, DEAD, DUPLICATE]

    def test_a_conflict_leaves_no_edges_or_mentions_behind(
        self, graph: Graph, model: GraphModel, writer: Writer, tenant: str
    ) -> None:
        write(writer, tenant, prompt("p", 0, "a"))
        before = digest(graph, model, tenant)
        write(writer, tenant, prompt("p", 0, "b", agent_id="stranger", model={"id": "other"}))
        assert digest(graph, model, tenant) == before

    def test_the_same_dead_letter_twice_is_one(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        write(writer, tenant, prompt("p", 0, "a"))
        for _ in range(2):
            assert write(writer, tenant, prompt("p", 0, "b")).outcomes == [DEAD]
        rows = graph.read(
            "MATCH (d:DeadLetter {tenant_id: $tenant_id}) RETURN d.dead_letter_id AS id",
            tenant_id=tenant,
        )
        assert len(rows) == 1

    def test_a_handoff_is_a_fact_of_its_edge(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        def handoff(reason: str) -> bytes:
            return event(
                type="handoff",
                event_id="h",
                timestamp=at(3),
                response_id="r",
                to_agent_id="a",
                handoff_reason=reason,
            )

        assert write(writer, tenant, handoff("one")).outcomes == [STORED]
        assert write(writer, tenant, handoff("one")).outcomes == [DUPLICATE]
        assert write(writer, tenant, handoff("two")).outcomes == [DEAD]
        kept = one(
            graph,
            "MATCH (:Response {tenant_id: $tenant_id, response_id: 'r'})-[h:TRANSFERS_TO]->(g) "
            "RETURN h.handoff_reason AS reason, g:Placeholder AS placeholder",
            tenant,
        )
        assert kept == {"reason": "one", "placeholder": False}

    def test_a_deleted_fact_does_not_come_back(
        self, graph: Graph, model: GraphModel, writer: Writer, tenant: str
    ) -> None:
        graph.run(
            "CREATE (:Prompt:Tombstone {tenant_id: $tenant_id, prompt_id: 'p'})", tenant_id=tenant
        )
        assert write(writer, tenant, prompt("p", 0)).outcomes == [DUPLICATE]
        rows = graph.read(
            "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: 'p'}) RETURN p{.*} AS p",
            tenant_id=tenant,
        )
        assert "text" not in rows[0]["p"]


class TestAnyOrder:
    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_permutations_batches_duplicates_and_threads_give_one_graph(
        self, graph: Graph, model: GraphModel, data: st.DataObject
    ) -> None:
        story = small_story()
        expected = digest_of(graph, model, [story])
        shuffled = data.draw(st.permutations(story))
        again = data.draw(st.lists(st.sampled_from(story), max_size=8))
        events = shuffled + again
        cuts = sorted(data.draw(st.sets(st.integers(1, len(events) - 1), max_size=6)))
        batches = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
        threads = data.draw(st.integers(1, 4))
        assert digest_of(graph, model, batches, threads=threads) == expected

    def test_an_end_that_has_not_arrived_is_an_invisible_placeholder(
        self, graph: Graph, writer: Writer, reader: Any, tenant: str
    ) -> None:
        response = event(
            event_id="r", timestamp=at(2), prompt_event_id="p", response={"text": "hi"}
        )
        write(writer, tenant, response)
        assert reader.count(tenant)["nodes"] == {"Response": 1}
        write(writer, tenant, prompt("p", 0))
        counts = reader.count(tenant)
        assert counts["nodes"] == {"Prompt": 1, "Response": 1, "Session": 1}
        assert counts["relationships"] == {"PART_OF": 1, "RESPONDS_TO": 1}


def digest_of(graph: Graph, model: GraphModel, batches: list[list[bytes]], threads: int = 1) -> str:
    """The digest after writing ``batches`` in a fresh tenant, dealt out to threads."""
    tenant = f"order-{uuid7()}"
    writer = Writer(graph, model)
    failures: list[BaseException] = []

    def work(mine: list[list[bytes]]) -> None:
        try:
            for batch in mine:
                write(writer, tenant, *batch)
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            failures.append(error)

    workers = [threading.Thread(target=work, args=(batches[i::threads],)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures, failures[0]
    return digest(graph, model, tenant).value


class TestFollows:
    def test_prompts_follow_the_order_of_time_whenever_they_arrive(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        for second in (30, 10, 20, 0, 40):
            write(writer, tenant, prompt(f"p{second}", second))
        assert follows(graph, tenant) == {
            "p10": "p0",
            "p20": "p10",
            "p30": "p20",
            "p40": "p30",
        }

    def test_what_the_sender_says_stands_and_makes_a_fork(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        write(writer, tenant, prompt("p3", 30, previous_prompt_id="p1"))
        write(writer, tenant, prompt("p1", 10), prompt("p2", 20))
        assert follows(graph, tenant) == {"p2": "p1", "p3": "p1"}
        gap = one(
            graph,
            "MATCH (:Prompt {tenant_id: $tenant_id, prompt_id: 'p3'})-[f:FOLLOWS]->() "
            "RETURN f.gap_ms AS gap_ms, f.stated AS stated",
            tenant,
        )
        assert gap == {"gap_ms": 20_000, "stated": True}

    def test_equal_times_are_ordered_by_key(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        for id_ in ("b", "c", "a"):
            write(writer, tenant, prompt(id_, 0))
        assert follows(graph, tenant) == {"b": "a", "c": "b"}

    def test_appending_reads_only_the_tail(
        self, graph: Graph, writer: Writer, tenant: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from memgraph.graph import splice

        write(writer, tenant, *(prompt(f"p{i}", i) for i in range(20)))
        sent: list[str] = []
        plain = Transaction.rows

        def recording(self: Transaction, statement: str, rows: list[Any]) -> list[Any]:
            sent.append(statement)
            return plain(self, statement, rows)

        monkeypatch.setattr(Transaction, "rows", recording)
        write(writer, tenant, prompt("p20", 20))
        assert splice.READ_NEIGHBOURS not in sent
        write(writer, tenant, prompt("p5b", 5))
        assert splice.READ_NEIGHBOURS in sent


class TestLiving:
    def test_the_latest_word_per_property_wins_in_any_order(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        def session(id_: str, second: int, **body: Any) -> bytes:
            return event(
                type="session", event_id=id_, timestamp=at(second), session={"id": "s", **body}
            )

        write(writer, tenant, session("e2", 20, title="new"))
        write(writer, tenant, session("e1", 10, title="old", purpose="chat", tags=["x"]))
        found = one(
            graph,
            "MATCH (s:Session {tenant_id: $tenant_id, session_id: 's'}) RETURN s{.*} AS s",
            tenant,
        )["s"]
        assert (found["title"], found["purpose"], found["tags"]) == ("new", "chat", ["x"])
        assert found["created_at"] == datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
        assert found["updated_at"] == datetime(2026, 1, 1, 0, 0, 20, tzinfo=UTC)

    def test_a_result_is_a_fact_of_its_attempt_and_a_retry_replaces_it(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        def tool(id_: str, second: int, status: str, retries: int = 0, **more: Any) -> bytes:
            return event(
                type="tool",
                event_id=id_,
                timestamp=at(second),
                invocation_id="t",
                status=status,
                retry_count=retries,
                **more,
            )

        failed = tool("e1", 10, "failed", error="no route")
        assert write(writer, tenant, failed).outcomes == [STORED]
        assert write(writer, tenant, failed).outcomes == [DUPLICATE]
        # The same attempt with another result is refused, the next attempt is not.
        assert write(writer, tenant, tool("e2", 11, "success", result=1)).outcomes == [DEAD]
        assert write(writer, tenant, tool("e3", 12, "success", 1, result=2)).outcomes == [STORED]
        # What began before the end but arrives after it does not reopen the call.
        assert write(writer, tenant, tool("e4", 13, "pending", 1)).outcomes == [DUPLICATE]
        found = one(
            graph,
            "MATCH (t:ToolInvocation {tenant_id: $tenant_id, invocation_id: 't'}) "
            "RETURN t.status AS status, t.result AS result, t.retry_count AS retries",
            tenant,
        )
        assert found == {"status": "success", "result": "2", "retries": 1}

    def test_many_threads_naming_one_session_keep_the_earliest_time(
        self, graph: Graph, model: GraphModel, tenant: str
    ) -> None:
        writer = Writer(graph, model)
        seconds = [37, 5, 21, 3, 44, 12, 30, 8]
        workers = [
            threading.Thread(target=write, args=(writer, tenant, prompt(f"p{s}", s)))
            for s in seconds
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        found = one(
            graph,
            "MATCH (s:Session {tenant_id: $tenant_id, session_id: 's'}) "
            "RETURN s.created_at AS at, s.tail_prompt_id AS tail",
            tenant,
        )
        assert found == {"at": datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC), "tail": "p44"}
        order = [f"p{s}" for s in sorted(seconds)]
        assert follows(graph, tenant) == dict(zip(order[1:], order, strict=False))


class TestNamed:
    def named(self, second: int, *, is_named: bool = True) -> Mutation:
        """A prompt in a session, which the event may name or only point to."""
        prompt_id, session = f"p{second}", ("Session", ("s",))
        occurred_at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
        return Mutation(
            prompt_id,
            occurred_at,
            fact=("Prompt", (prompt_id,)),
            fact_properties={"created_at": occurred_at, "text": "t"},
            mentions=[session] if is_named else [],
            edges=[Edge(("Prompt", (prompt_id,)), "PART_OF", session)],
        )

    def session(self, graph: Graph, tenant: str) -> dict[str, Any]:
        return one(
            graph,
            "MATCH (s:Session {tenant_id: $tenant_id, session_id: 's'}) "
            "RETURN s:Placeholder AS is_placeholder, s.created_at.second AS second",
            tenant,
        )

    def test_who_is_only_pointed_to_waits_to_be_named(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        writer.write(tenant, [self.named(5, is_named=False)])
        assert self.session(graph, tenant) == {"is_placeholder": True, "second": None}
        writer.write(tenant, [self.named(7)])
        assert self.session(graph, tenant) == {"is_placeholder": False, "second": 7}

    def test_the_earliest_naming_counts(self, graph: Graph, writer: Writer, tenant: str) -> None:
        writer.write(tenant, [self.named(7), self.named(6), self.named(8)])
        assert self.session(graph, tenant)["second"] == 6
        writer.write(tenant, [self.named(4), self.named(3)])
        assert self.session(graph, tenant)["second"] == 3
        writer.write(tenant, [self.named(9)])
        assert self.session(graph, tenant)["second"] == 3

    def test_who_is_at_no_edge_is_named_all_the_same(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        mutation = self.named(2)
        mutation.mentions.append(("Agent", ("a",)))
        writer.write(tenant, [mutation])
        found = one(
            graph,
            "MATCH (a:Agent {tenant_id: $tenant_id, agent_id: 'a'}) "
            "RETURN a:Placeholder AS is_placeholder, a.created_at.second AS second",
            tenant,
        )
        assert found == {"is_placeholder": False, "second": 2}


class TestTemplates:
    def test_a_cycle_is_refused_and_the_rest_of_the_batch_is_stored(
        self, graph: Graph, writer: Writer, reader: Any, tenant: str
    ) -> None:
        def template(id_: str, parent: str) -> bytes:
            return event(
                type="template",
                event_id=f"e-{id_}",
                timestamp=at(0),
                template={
                    "id": id_,
                    "version": "1.0.0",
                    "name": id_,
                    "text": "x",
                    "parent": {"id": parent, "version": "1.0.0"},
                },
            )

        assert write(writer, tenant, template("a", "b")).outcomes == [STORED]
        assert write(writer, tenant, template("b", "c")).outcomes == [STORED]
        result = write(writer, tenant, prompt("p", 0), template("c", "a"), prompt("q", 1))
        assert result.outcomes == [STORED, Outcome.REJECTED, STORED]
        assert [r.code for r in result.refusals] == ["template_cycle"]
        counts = reader.count(tenant)["nodes"]
        assert (counts["PromptTemplate"], counts["Prompt"]) == (2, 2)


class TestNothingHalfWritten:
    def test_an_unknown_property_is_a_fault_of_ours_and_writes_nothing(
        self, graph: Graph, reader: Any, writer: Writer, tenant: str
    ) -> None:
        good = mutations([prompt("p", 0)])[0]
        bad = Mutation("e", datetime.now(UTC), fact=("Prompt", ("q",)))
        bad.fact_properties = {"colour": "red"}
        with pytest.raises(TypeError, match="Prompt has no property colour"):
            writer.write(tenant, [good, bad])
        assert reader.count(tenant)["nodes"] == {}

    def test_a_statement_that_loses_rows_rolls_the_batch_back(
        self,
        graph: Graph,
        reader: Any,
        writer: Writer,
        tenant: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from memgraph.graph import splice

        lost = splice.LINK.replace("row.prompt_id}", "row.prompt_id + '-lost'}")
        monkeypatch.setattr(splice, "LINK", lost)
        with pytest.raises(WriteMismatch, match="link matched 0 of 1"):
            write(writer, tenant, prompt("p", 0), prompt("q", 1))
        assert reader.count(tenant)["nodes"] == {}

    def test_an_edge_merges_the_smaller_of_what_several_events_say(
        self, graph: Graph, writer: Writer, tenant: str
    ) -> None:
        now = datetime.now(UTC) - timedelta(days=1)
        for order in (2, 1, 3):
            mutation = Mutation(f"e{order}", now)
            mutation.edges.append(
                Edge(
                    ("Response", ("r",)),
                    "INVOKES",
                    ("ToolInvocation", ("t",)),
                    {"invocation_order": order},
                )
            )
            writer.write(tenant, [mutation])
        found = one(
            graph,
            "MATCH (:Response {tenant_id: $tenant_id, response_id: 'r'})-[i:INVOKES]->() "
            "RETURN i.invocation_order AS invocation_order",
            tenant,
        )
        assert found["invocation_order"] == 1
