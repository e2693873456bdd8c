"""Migrations on a real server: from empty, twice, several runners, edited, failed, mended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from memgraph.domain.errors import GraphRefused, MigrationError, SchemaOutdated
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph import migration_lock
from memgraph.graph.ddl import Kind, await_indexes, difference, drop_statement, server_items
from memgraph.graph.driver import open_driver
from memgraph.graph.migrations import apply, history, migrations_directory, plan, validate
from memgraph.graph.session import Graph
from memgraph.settings import Neo4jSettings

KEPT = migrations_directory()
PLAIN = GraphModel.of(NODE_CLASSES)
MODEL = GraphModel.of(NODE_CLASSES, {"Session": ("task_id", "odd `key`")})
NO_CLASSES = GraphModel({})
RUNNER = """
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph.driver import open_driver
from memgraph.graph.migrations import apply, migrations_directory
from memgraph.graph.session import Graph
from memgraph.settings import load_settings

settings = load_settings().neo4j
graph = Graph(open_driver(settings), database=settings.database)
print(len(apply(graph, GraphModel.of(NODE_CLASSES), migrations_directory())))
graph.close()
"""
"""A process that migrates and prints how many files it applied."""


def connect(server: Neo4jSettings) -> Graph:
    return Graph(open_driver(server), database=server.database)


@pytest.fixture(scope="module")
def shared(server: Neo4jSettings, model: GraphModel) -> Iterator[Graph]:
    """The shared server; afterwards its schema is again what the other tests expect."""
    graph = connect(server)
    yield graph
    clear_bookkeeping(graph)
    drop_schema(graph)
    apply(graph, model, KEPT)
    graph.close()


@pytest.fixture
def fresh(shared: Graph) -> Graph:
    """No chain and no lock; constraints and indexes may be there."""
    clear_bookkeeping(shared)
    return shared


@pytest.fixture
def empty(fresh: Graph) -> Graph:
    """No chain, no lock, no constraints, no indexes. Data stays."""
    drop_schema(fresh)
    return fresh


def clear_bookkeeping(graph: Graph) -> None:
    graph.run("MATCH (n:__Neo4jMigration|__Neo4jMigrationsLock|MigrationTest) DETACH DELETE n")


def drop_schema(graph: Graph) -> None:
    for item in server_items(graph):
        graph.run(drop_statement(item))


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.cypher").write_text(text)
    return directory


def locks(graph: Graph) -> list[dict[str, Any]]:
    return graph.read("MATCH (l:__Neo4jMigrationsLock) RETURN properties(l) AS lock")


def numbers(graph: Graph) -> list[int]:
    rows = graph.read("MATCH (n:MigrationTest) RETURN n.number AS number ORDER BY number")
    return [row["number"] for row in rows]


ONE = "MERGE (:MigrationTest {number: 1});\n"
TWO = "MERGE (:MigrationTest {number: 2});\n"
STEAL = "MATCH (l:__Neo4jMigrationsLock) DETACH DELETE l;\n"


class TestKeptFiles:
    def test_from_empty_nothing_differs_from_the_classes(self, empty: Graph) -> None:
        said: list[str] = []
        todo = plan(empty, KEPT)
        assert apply(empty, MODEL, KEPT, said.append) == todo
        assert difference(MODEL, empty).lines() == []
        validate(empty, MODEL, KEPT)
        assert said[0].startswith("V001__Constraints_and_indexes.cypher: statement 1 of ")
        assert said[-1].startswith("index as the settings say: session_metadata_")
        states = empty.read("SHOW INDEXES YIELD state RETURN collect(DISTINCT state) AS all")
        assert states == [{"all": ["ONLINE"]}]
        (vector,) = [item for item in server_items(empty) if item.kind is Kind.VECTOR]
        assert vector.options["vector.quantization.enabled"] is False
        assert locks(empty) == []

    def test_twice_does_nothing_the_second_time(self, fresh: Graph) -> None:
        apply(fresh, MODEL, KEPT)
        before = history(fresh)
        assert apply(fresh, MODEL, KEPT, pytest.fail) == []
        assert history(fresh) == before

    def test_the_chain_is_laid_out_as_the_java_tool_does(
        self, fresh: Graph, server: Neo4jSettings
    ) -> None:
        (migration, *_) = apply(fresh, MODEL, KEPT)
        (row,) = fresh.read(
            "MATCH (b:__Neo4jMigration {version: 'BASELINE'})-[r:MIGRATED_TO]->"
            "(m:__Neo4jMigration {version: '001'}) "
            "RETURN properties(b) AS baseline, properties(m) AS migration, keys(r) AS keys"
        )
        assert row["baseline"] == {"version": "BASELINE"}
        assert row["migration"] == {
            "version": "001",
            "description": "Constraints and indexes",
            "type": "CYPHER",
            "source": "V001__Constraints_and_indexes.cypher",
            "checksum": migration.checksum,
        }
        assert sorted(row["keys"]) == ["at", "by", "connectedAs", "in"]
        link = history(fresh)[0]
        assert link.applied_at.tzinfo is not None
        assert link.took_ms >= 0
        assert link.connected_as == server.user

    def test_several_runners_at_once_apply_once(self, empty: Graph, server: Neo4jSettings) -> None:
        start = threading.Barrier(4)

        def runner(_: int) -> list[str]:
            own = connect(server)
            try:
                start.wait()
                return [m.source for m in apply(own, MODEL, KEPT)]
            finally:
                own.close()

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(runner, range(4)))
        assert sorted(map(len, results)) == [0, 0, 0, len(history(empty))]
        assert difference(MODEL, empty).lines() == []
        assert locks(empty) == []

    def test_two_processes_at_once_apply_once(self, empty: Graph, server: Neo4jSettings) -> None:
        environment = {
            **os.environ,
            "MEMGRAPH_NEO4J__URI": server.uri,
            "MEMGRAPH_NEO4J__USER": server.user,
            "MEMGRAPH_NEO4J__PASSWORD": server.password.get_secret_value(),
            "MEMGRAPH_NEO4J__DATABASE": server.database,
        }
        command = [sys.executable, "-c", RUNNER]
        runners = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        applied = [int(runner.communicate(timeout=120)[0] or -1) for runner in runners]
        assert sorted(applied) == [0, len(history(empty))]
        assert difference(PLAIN, empty).lines() == []


class TestPromotedMetadata:
    def test_its_indexes_follow_the_settings(self, fresh: Graph) -> None:
        apply(fresh, PLAIN, KEPT)
        assert apply(fresh, MODEL, KEPT) == []
        names = {item.name for item in server_items(fresh)}
        assert {"session_metadata_task_id_range", "session_metadata_odd `key`_range"} <= names
        assert not difference(MODEL, fresh)
        assert apply(fresh, PLAIN, KEPT) == []
        assert not difference(PLAIN, fresh)


class TestDrift:
    def test_missing_changed_and_extra_items_are_found(self, fresh: Graph) -> None:
        apply(fresh, PLAIN, KEPT)
        fresh.run("DROP INDEX prompt_created_at_range")
        fresh.run("DROP INDEX prompt_text_fulltext")
        fresh.run("CREATE FULLTEXT INDEX prompt_text_fulltext FOR (n:Prompt) ON EACH [n.text]")
        fresh.run("CREATE TEXT INDEX prompt_ours FOR (n:Prompt) ON (n.text)")
        fresh.run("CREATE RANGE INDEX theirs FOR (n:MigrationTest) ON (n.number)")
        try:
            found = difference(PLAIN, fresh)
            assert [item.name for item in found.missing] == ["prompt_created_at_range"]
            assert [c.wanted.name for c in found.changed] == ["prompt_text_fulltext"]
            assert [(i.name, i.kind) for i in found.extra] == [("prompt_ours", Kind.TEXT)]
            with pytest.raises(
                SchemaOutdated, match=r"_created_at_.* and 1 more\); someone changed"
            ):
                validate(fresh, PLAIN, KEPT)
            for _, statement in found.steps():
                fresh.run(statement)
            validate(fresh, PLAIN, KEPT)
            assert not difference(PLAIN, fresh)
        finally:
            fresh.run("DROP INDEX theirs")

    def test_promoted_metadata_without_an_index_is_found(self, fresh: Graph) -> None:
        apply(fresh, PLAIN, KEPT)
        with pytest.raises(SchemaOutdated, match=r"task_id.*; run `memgraph migrate`"):
            validate(fresh, MODEL, KEPT)

    def test_pending_files_are_found(self, fresh: Graph, tmp_path: Path) -> None:
        with pytest.raises(SchemaOutdated, match=r"pending: V1__One\.cypher"):
            validate(fresh, NO_CLASSES, write(tmp_path, V1__One=ONE))

    def test_indexes_that_are_not_online_in_time_are_an_error(self, fresh: Graph) -> None:
        fresh.run(
            "UNWIND range(1, 20000) AS i CREATE (:MigrationTest {number: i, text: toString(i)})"
        )
        fresh.run("CREATE RANGE INDEX slow FOR (n:MigrationTest) ON (n.number, n.text)")
        try:
            with pytest.raises(GraphRefused, match="not online after 0 s"):
                await_indexes(fresh, timeout_s=0)
            await_indexes(fresh)
        finally:
            fresh.run("DROP INDEX slow")


class TestChain:
    def test_an_edited_file_is_refused_and_nothing_is_applied(
        self, fresh: Graph, tmp_path: Path
    ) -> None:
        (one,) = apply(fresh, NO_CLASSES, write(tmp_path, V1__One=ONE))
        write(tmp_path, V1__One=ONE + "RETURN 1;", V2__Two=TWO)
        with pytest.raises(MigrationError) as caught:
            apply(fresh, NO_CLASSES, tmp_path)
        assert "V1__One.cypher was edited" in caught.value.message
        assert caught.value.facts["applied"] == one.checksum
        assert caught.value.facts["found"] in caught.value.message
        assert numbers(fresh) == [1]
        write(tmp_path, V1__One=ONE)
        assert [m.source for m in apply(fresh, NO_CLASSES, tmp_path)] == ["V2__Two.cypher"]
        assert numbers(fresh) == [1, 2]

    def test_a_missing_or_late_file_is_refused(self, fresh: Graph, tmp_path: Path) -> None:
        apply(fresh, NO_CLASSES, write(tmp_path, V1__One=ONE, V3__Three="RETURN 3;"))
        write(tmp_path, V2__Two=TWO)
        with pytest.raises(MigrationError, match=r"V2__Two\.cypher is new"):
            apply(fresh, NO_CLASSES, tmp_path)
        (tmp_path / "V2__Two.cypher").unlink()
        (tmp_path / "V3__Three.cypher").unlink()
        with pytest.raises(MigrationError, match=r"V3__Three\.cypher was applied"):
            apply(fresh, NO_CLASSES, tmp_path)
        assert numbers(fresh) == [1]

    def test_a_broken_chain_is_refused(self, fresh: Graph, tmp_path: Path) -> None:
        apply(fresh, NO_CLASSES, write(tmp_path, V1__One=ONE, V2__Two=TWO))
        fresh.run("MATCH (:__Neo4jMigration {version: '1'})-[r:MIGRATED_TO]->() DELETE r")
        with pytest.raises(MigrationError, match="broken after version 1"):
            history(fresh)

    def test_data_migrations_may_commit_in_batches(self, fresh: Graph, tmp_path: Path) -> None:
        write(
            tmp_path,
            V1__Data="// ten;\nUNWIND range(1, 10) AS i MERGE (:MigrationTest {number: i});",
            V2__Batches="""
                MATCH (n:MigrationTest) WHERE n.text IS NULL
                CALL (n) { SET n.text = 'number; ' + n.number } IN TRANSACTIONS OF 3 ROWS;
                /* the rest of the file is; a comment */
                CREATE RANGE INDEX migration_test IF NOT EXISTS FOR (n:MigrationTest) ON (n.text);
                DROP INDEX migration_test IF EXISTS
            """,
        )
        assert len(apply(fresh, NO_CLASSES, tmp_path)) == 2
        rows = fresh.read("MATCH (n:MigrationTest) WHERE n.text STARTS WITH 'number; ' RETURN n")
        assert len(rows) == 10


class TestFailure:
    SECRET = "4711-secret"

    def test_a_failed_file_is_not_in_the_chain_and_succeeds_after_mending(
        self, fresh: Graph, tmp_path: Path
    ) -> None:
        failing = f"{TWO}\n// next\nRETURN datetime('{self.SECRET}');\n"
        write(tmp_path, V1__One=ONE, V2__Two=failing, V3__Three="RETURN 3")
        with pytest.raises(MigrationError) as caught:
            apply(fresh, NO_CLASSES, tmp_path)
        assert caught.value.facts["source"] == "V2__Two.cypher"
        assert (caught.value.facts["statement"], caught.value.facts["line"]) == (2, 4)
        assert "V2__Two.cypher: statement 2 (line 4) failed: Neo.Client" in caught.value.message
        assert self.SECRET not in caught.value.message
        assert [link.version for link in history(fresh)] == ["1"]
        assert numbers(fresh) == [1, 2], "statements before the failed one stay"
        assert locks(fresh) == []

        write(tmp_path, V2__Two=TWO)
        assert [m.version for m in apply(fresh, NO_CLASSES, tmp_path)] == ["2", "3"]
        assert [link.version for link in history(fresh)] == ["1", "2", "3"]
        assert numbers(fresh) == [1, 2]

    def test_a_constraint_that_data_violates_names_no_data(
        self, fresh: Graph, tmp_path: Path
    ) -> None:
        fresh.run("UNWIND [1, 2] AS i CREATE (:MigrationTest {text: $text})", text=self.SECRET)
        constraint = (
            "CREATE CONSTRAINT t IF NOT EXISTS FOR (n:MigrationTest) REQUIRE n.text IS UNIQUE"
        )
        with pytest.raises(MigrationError) as caught:
            apply(fresh, NO_CLASSES, write(tmp_path, V1__Constraint=constraint))
        assert self.SECRET not in f"{caught.value} {caught.value.facts}"
        assert history(fresh) == []


def wait_for(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def sign(graph: Graph) -> Any:
    """The last sign of life of who holds the lock."""
    return locks(graph)[0]["lock"]["heartbeat_at"]


class TestLock:
    def hold(self, graph: Graph, age_s: int | None) -> None:
        migration_lock._ensure_constraints(graph)
        graph.run(
            "CREATE (l:__Neo4jMigrationsLock {id: 'other', name: 'John Doe'}) "
            "FOREACH (age IN CASE WHEN $age_s IS NULL THEN [] ELSE [$age_s] END | "
            "SET l.owner = 'host process 1', "
            "    l.heartbeat_at = datetime() - duration({seconds: age}))",
            age_s=age_s,
        )

    @pytest.mark.parametrize(("age_s", "owner"), [(5, "host process 1"), (None, "another tool")])
    def test_a_held_lock_is_waited_for_and_then_an_error(
        self, fresh: Graph, tmp_path: Path, age_s: int | None, owner: str
    ) -> None:
        self.hold(fresh, age_s)
        said: list[str] = []
        write(tmp_path, V1__One=ONE)
        with pytest.raises(MigrationError) as caught:
            apply(fresh, NO_CLASSES, tmp_path, said.append, wait_s=0.6)
        assert said == [f"waiting for the migrations of {owner}"]
        assert f"{owner} holds the migration lock" in caught.value.message
        assert "MATCH (l:__Neo4jMigrationsLock) DELETE l" in caught.value.message
        assert numbers(fresh) == []

    def test_a_lock_released_in_time_is_taken(self, fresh: Graph, tmp_path: Path) -> None:
        self.hold(fresh, 0)
        remove = "MATCH (l:__Neo4jMigrationsLock) DELETE l"
        timer = threading.Timer(0.6, fresh.run, [remove])
        timer.start()
        assert len(apply(fresh, NO_CLASSES, write(tmp_path, V1__One=ONE))) == 1
        timer.join()
        assert locks(fresh) == []

    def test_the_lock_of_a_dead_runner_is_taken_over(self, fresh: Graph, tmp_path: Path) -> None:
        self.hold(fresh, migration_lock.DEAD_AFTER_S + 5)
        assert len(apply(fresh, NO_CLASSES, write(tmp_path, V1__One=ONE), wait_s=0)) == 1
        assert locks(fresh) == []

    def test_only_one_of_many_takes_over(self, fresh: Graph) -> None:
        self.hold(fresh, migration_lock.DEAD_AFTER_S + 5)
        with ThreadPoolExecutor(8) as pool:
            states = list(pool.map(lambda i: migration_lock._acquire(fresh, str(i)), range(8)))
        assert len({state.id for state in states}) == 1

    def test_the_heartbeat_keeps_the_lock_alive(
        self, fresh: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migration_lock, "HEARTBEAT_S", 0.05)
        signs = []

        def on_progress(_: str) -> None:
            signs.append(sign(fresh))
            wait_for(lambda: sign(fresh) > signs[-1])

        apply(fresh, NO_CLASSES, write(tmp_path, V1__Two_statements=ONE + TWO), on_progress)
        assert signs[0] < signs[1]

    def test_a_runner_that_lost_its_lock_records_nothing(
        self, fresh: Graph, tmp_path: Path
    ) -> None:
        with pytest.raises(MigrationError, match="took the migration lock over"):
            apply(fresh, NO_CLASSES, write(tmp_path, V1__Steal=STEAL))
        assert history(fresh) == []

    def test_a_runner_that_lost_its_lock_stops(
        self, fresh: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held: list[migration_lock.MigrationLock] = []
        enter = migration_lock.MigrationLock.__enter__

        def on_progress(line: str) -> None:
            if "statement 2" in line:
                wait_for(held[0]._lost.is_set)

        monkeypatch.setattr(migration_lock, "HEARTBEAT_S", 0.05)
        monkeypatch.setattr(
            migration_lock.MigrationLock, "__enter__", lambda lock: held.append(lock) or enter(lock)
        )
        write(tmp_path, V1__Steal=STEAL + ONE + TWO)
        with pytest.raises(MigrationError, match="took the migration lock over"):
            apply(fresh, NO_CLASSES, tmp_path, on_progress)
        # A beat that came before the second statement ended it even earlier.
        assert numbers(fresh) in ([], [1])
