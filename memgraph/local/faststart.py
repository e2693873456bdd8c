"""An ahead-of-time cache of Neo4j's classes: with it a server starts in half of the time.

Java writes the cache at the end of a training run. On every start it checks that Java, jars
and flags are the same; when they are not, it starts without. 200 MB in the user's cache.
"""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from memgraph.domain.errors import StackError
from memgraph.local.neo4j import Neo4jServer, aot_cache_path, driver
from memgraph.local.ports import LOOPBACK, PortBook
from memgraph.local.process import ServerProcess, describe_exit, log_tail
from memgraph.local.state import HeldLock

STEP_DEADLINE_S = 300.0
"""Time for Neo4j to start, and again for Java to write the cache."""
_TRAINING = (
    "CREATE CONSTRAINT a_unique IF NOT EXISTS FOR (n:A) REQUIRE (n.t, n.k) IS UNIQUE",
    "CREATE RANGE INDEX a_at IF NOT EXISTS FOR (n:A) ON (n.at)",
    "CREATE FULLTEXT INDEX a_text IF NOT EXISTS FOR (n:A) ON EACH [n.text]",
    "CREATE VECTOR INDEX a_vector IF NOT EXISTS FOR (n:A) ON n.v "
    "OPTIONS {indexConfig: {`vector.dimensions`: 4, `vector.similarity_function`: 'cosine'}}",
    "CALL db.awaitIndexes(60)",
    "UNWIND range(1, 50) AS i MERGE (n:A {t: 't', k: i}) "
    "SET n.text = 'word ' + i, n.v = [1.0, 0.5, i, 0.25], n.at = datetime()",
    "UNWIND range(1, 49) AS i MATCH (a:A {t: 't', k: i}) MATCH (b:A {t: 't', k: i + 1}) "
    "MERGE (a)-[r:NEXT]->(b) SET r.at = datetime() RETURN count(r)",
    "MATCH p = (a:A {t: 't', k: 1})-[:NEXT*1..5]->(b) RETURN b.k, length(p) ORDER BY b.k LIMIT 9",
    "MATCH (n:A) WHERE n.at < datetime() RETURN n.t, count(*) AS c, collect(n.k)[..3] ORDER BY c",
    "CALL db.index.fulltext.queryNodes('a_text', 'word') YIELD node RETURN node.k LIMIT 3",
    "MATCH (n:A) DETACH DELETE n",
)


def train(on_progress: Callable[[str], None], cache_dir: Path | None = None) -> Path:
    """Return the path of the cache; make it first if it is missing, in about a minute.

    Runs a Neo4j of its own in a temporary folder. StackError when that fails: servers
    start without the cache then, only slower.
    """
    target = aot_cache_path(cache_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = HeldLock(target.with_name("aot.lock"))
    try:
        while not lock.try_acquire():
            time.sleep(0.5)
        if not target.exists():
            on_progress("preparing Neo4j for fast starts, once, about a minute")
            part = target.with_suffix(".part")
            part.unlink(missing_ok=True)
            with tempfile.TemporaryDirectory(prefix="memgraph-") as folder:
                _record(Path(folder), part, on_progress)
            part.replace(target)
            for old in target.parent.glob("neo4j-*.aot"):
                if old != target:
                    old.unlink()
    finally:
        lock.release()
    return target


def _record(folder: Path, output: Path, on_progress: Callable[[str], None]) -> None:
    server = Neo4jServer(folder, aot_output=output)
    server.fetch(on_progress)
    ports = PortBook(folder).choose(server.port_names, fresh=True)
    process = ServerProcess(server.prepare(ports))
    try:
        _await(lambda: server.ready(ports) or process.exit_code() is not None)
        with urllib.request.urlopen(f"http://{LOOPBACK}:{ports['http']}/"):
            pass
        with driver(f"bolt://{LOOPBACK}:{ports['bolt']}", server.password()) as session:
            for statement in _TRAINING:
                session.execute_query(statement, database_="neo4j")
        on_progress("preparing Neo4j for fast starts: writing its cache")
    except BaseException:
        process.terminate()
        process.wait(1.0)
        raise
    process.terminate()
    code = process.wait(STEP_DEADLINE_S)
    if not output.exists():
        raise StackError(
            f"Java wrote no cache, {describe_exit(code)}:\n{log_tail(server.log)}", exit_code=code
        )


def _await(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + STEP_DEADLINE_S
    while not condition():
        if time.monotonic() > give_up:
            raise StackError(f"Neo4j was not ready within {STEP_DEADLINE_S:.0f} s")
        time.sleep(0.1)
