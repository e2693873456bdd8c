r"""Apply the kept migration files in order, once, and remember them in the graph.

File names, graph layout, lock and checksums are those of the Java tool neo4j-migrations
(github.com/michael-simons/neo4j-migrations: ``MigrationVersion``, ``Migrations``,
``DefaultCypherResource``, ``MigrationsLock``), so that it can read and continue the chain:

- ``V001__Name_words.cypher``; statements are separated by ``;``.
- ``(:__Neo4jMigration {version: 'BASELINE'})-[:MIGRATED_TO {at, in, by, connectedAs}]->
  (:__Neo4jMigration {version, description, type: 'CYPHER', source, checksum})-[…]->…``
- The checksum is the CRC-32 of the trimmed statements' UTF-8 bytes, comments included,
  separators and the space around them not: unsigned, in decimal. Line ends count as
  ``\n`` (``autocrlf`` there). It differs from the tool's where that splits inside a
  string or comment.

Every statement runs in a transaction of its own: Neo4j keeps schema and data apart, and
data migrations may use ``CALL { … } IN TRANSACTIONS``. So every statement must be idempotent.
"""

from __future__ import annotations

import getpass
import re
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import neo4j

from memgraph.domain.errors import (
    GraphRefused,
    GraphUnavailable,
    MigrationError,
    SchemaOutdated,
)
from memgraph.domain.schema import GraphModel
from memgraph.graph.cypher_files import Statement, cypher_root, split_statements
from memgraph.graph.ddl import SchemaDifference, await_indexes, difference
from memgraph.graph.migration_lock import MigrationLock, lock_lost, migration_lock
from memgraph.graph.session import Graph

BASELINE = "BASELINE"
"""Version of the node that the chain begins at."""
LOCK_WAIT_S = 60.0

OnProgress = Callable[[str], None]

_FILE_NAME = re.compile(r"V(?P<version>\d+)__(?P<words>\w+)\.cypher", re.ASCII)


@dataclass(frozen=True)
class Migration:
    """A migration file."""

    version: str
    """As the file name writes it: ``001``."""
    description: str
    source: str
    """Name of the file."""
    statements: tuple[Statement, ...]

    @property
    def number(self) -> int:
        return int(self.version)

    @cached_property
    def checksum(self) -> str:
        return str(zlib.crc32("".join(s.text for s in self.statements).encode()))

    @property
    def executable(self) -> list[Statement]:
        return [s for s in self.statements if s.is_executable]


@dataclass(frozen=True, slots=True)
class Applied:
    """A link of the chain in the graph."""

    version: str
    description: str
    source: str
    checksum: str
    applied_at: datetime
    took_ms: int
    by: str
    """User of the operating system."""
    connected_as: str
    """User of Neo4j."""


def migrations_directory() -> Path:
    """Return the directory of the kept migration files."""
    return cypher_root() / "migrations"


def load(directory: Path) -> list[Migration]:
    """Read the migration files in the order of their versions.

    Raises MigrationError for a name that breaks the grammar and for a version used twice.
    """
    if not directory.is_dir():
        raise MigrationError(f"no directory of migrations at {directory}")
    found: dict[int, Migration] = {}
    for path in sorted(directory.glob("*.cypher")):
        migration = _read(path)
        twin = found.setdefault(migration.number, migration)
        if twin is not migration:
            raise MigrationError(f"{twin.source} and {path.name} have the same version")
    return [found[number] for number in sorted(found)]


def _read(path: Path) -> Migration:
    name = _FILE_NAME.fullmatch(path.name)
    if name is None:
        raise MigrationError(f"{path.name}: a migration is named V001__Name_words.cypher")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise MigrationError(f"{path.name} is not UTF-8") from None
    return Migration(
        version=name["version"],
        description=name["words"].replace("_", " "),
        source=path.name,
        statements=tuple(split_statements(text)),
    )


def next_file_name(directory: Path, description: str) -> str:
    """Return the name of the next file, such as ``V002__Index_of_tags.cypher``."""
    last = max((migration.number for migration in load(directory)), default=0)
    words = "_".join(re.findall(r"[A-Za-z0-9]+", description))
    if not words:
        raise MigrationError("a migration needs a description of letters and digits")
    return f"V{last + 1:03}__{words}.cypher"


_HISTORY = """
MATCH (m:__Neo4jMigration) WHERE m.version <> $baseline
OPTIONAL MATCH (before:__Neo4jMigration)-[r:MIGRATED_TO]->(m)
RETURN before.version AS after, m.version AS version, m.description AS description,
       m.source AS source, m.checksum AS checksum, r.at AS applied_at,
       r.`in`.milliseconds AS took_ms, r.by AS by, r.connectedAs AS connected_as
"""


def history(graph: Graph) -> list[Applied]:
    """Read the chain of what was applied, oldest first. One round trip.

    Raises MigrationError when the nodes do not form one chain.
    """
    rows = graph.read(_HISTORY, baseline=BASELINE)
    links = {row.pop("after"): row for row in rows}
    chain: list[Applied] = []
    version = BASELINE
    while (row := links.pop(version, None)) is not None:
        chain.append(Applied(**row))
        version = chain[-1].version
    if len(chain) != len(rows):
        raise MigrationError(
            f"the migration chain in the graph is broken after version {version}; restore the "
            "__Neo4jMigration nodes and their MIGRATED_TO relationships from a backup",
            version=version,
        )
    return chain


def pending(applied: Sequence[Applied], files: Sequence[Migration]) -> list[Migration]:
    """Return the files that are still to apply. Raises MigrationError when the two disagree."""
    by_version = {migration.version: migration for migration in files}
    last = -1
    for link in applied:
        migration = by_version.pop(link.version, None)
        if migration is None:
            raise MigrationError(
                f"{link.source} was applied, but its file is missing; install the version of "
                "this program that has it",
                source=link.source,
            )
        if migration.checksum != link.checksum:
            raise MigrationError(
                f"{migration.source} was edited after it was applied (checksum in the graph "
                f"{link.checksum}, of the file {migration.checksum}); restore the file and put "
                "the change into a new one",
                source=migration.source,
                applied=link.checksum,
                found=migration.checksum,
            )
        last = max(last, migration.number)
    rest = list(by_version.values())
    if rest and rest[0].number < last:
        raise MigrationError(
            f"{rest[0].source} is new, but version {last} is applied already; "
            "give it a higher version",
            source=rest[0].source,
        )
    return rest


def plan(graph: Graph, directory: Path) -> list[Migration]:
    """Return what ``apply`` would apply, and change nothing. Raises MigrationError as it does."""
    return pending(history(graph), load(directory))


def validate(graph: Graph, model: GraphModel, directory: Path) -> None:
    """Check that everything is applied and the server has what the classes ask for.

    Items that the server has besides are let be. Raises MigrationError when chain and
    files disagree, SchemaOutdated when something is to apply or missing. Three round trips.
    """
    files = plan(graph, directory)
    found = difference(model, graph)
    lines = [
        *(f"pending: {migration.source}" for migration in files),
        *SchemaDifference(missing=found.missing, changed=found.changed).lines(),
    ]
    if lines:
        more = f" and {len(lines) - 1} more" if lines[1:] else ""
        remedy = "run `memgraph migrate`"
        if not files and not found.part(promoted=True):
            remedy = "someone changed the server; run those statements of the migrations again"
        raise SchemaOutdated(
            f"the schema of the graph is outdated ({lines[0]}{more}); {remedy}",
            differences=lines,
        )


def apply(
    graph: Graph,
    model: GraphModel,
    directory: Path,
    on_progress: OnProgress = lambda _: None,
    *,
    wait_s: float = LOCK_WAIT_S,
) -> list[Migration]:
    """Apply what is pending, then the indexes that settings ask for; return what was applied.

    Returns when all indexes are online. One runner works at a time; another one waits up
    to ``wait_s`` seconds and then finds everything applied. Raises MigrationError; the
    chain then ends with the last file that was applied whole, and a second run goes on there.
    """
    files = load(directory)
    applied: list[Migration] = []
    if pending(history(graph), files) or _promoted(graph, model):
        with migration_lock(graph, wait_s, on_progress) as lock:
            links = history(graph)
            after = links[-1].version if links else BASELINE
            for migration in pending(links, files):
                _apply_one(graph, lock, migration, after, on_progress)
                applied.append(migration)
                after = migration.version
            for item, statement in _promoted(graph, model).steps():
                on_progress(f"index as the settings say: {item.name}")
                graph.run(statement)
    await_indexes(graph)
    return applied


def _promoted(graph: Graph, model: GraphModel) -> SchemaDifference:
    return difference(model, graph).part(promoted=True)


def _apply_one(
    graph: Graph, lock: MigrationLock, migration: Migration, after: str, on_progress: OnProgress
) -> None:
    began = time.monotonic()
    statements = migration.executable
    for number, statement in enumerate(statements, start=1):
        lock.check()
        on_progress(f"{migration.source}: statement {number} of {len(statements)}")
        try:
            graph.run(statement.text)
        except (GraphRefused, GraphUnavailable) as error:
            status = error.facts.get("status") or error.facts.get("kind")
            raise MigrationError(
                f"{migration.source}: statement {number} (line {statement.line}) failed: "
                f"{status}; the file counts as not applied: mend it or the data and run the "
                "migrations again, the statements before it may run twice",
                source=migration.source,
                statement=number,
                line=statement.line,
                status=status,
            ) from error
    _record(graph, lock, migration, after, round((time.monotonic() - began) * 1000))


# A retry after a lost answer must not make a second link, so everything is merged.
_RECORD = """
MATCH (l:__Neo4jMigrationsLock {id: $lock_id})
SET l.heartbeat_at = datetime()
MERGE (before:__Neo4jMigration {version: $after})
MERGE (m:__Neo4jMigration {version: $version})
SET m.description = $description, m.type = 'CYPHER', m.source = $source, m.checksum = $checksum
MERGE (before)-[r:MIGRATED_TO]->(m)
SET r.at = datetime(), r.`in` = duration({milliseconds: $took_ms}), r.by = $by,
    r.connectedAs = $connected_as
RETURN m.version AS version
"""


def _record(
    graph: Graph, lock: MigrationLock, migration: Migration, after: str, took_ms: int
) -> None:
    parameters: dict[str, Any] = {
        "lock_id": lock.id,
        "after": after,
        "version": migration.version,
        "description": migration.description,
        "source": migration.source,
        "checksum": migration.checksum,
        "took_ms": took_ms,
        "by": _operating_user(),
        "connected_as": graph.run("SHOW CURRENT USER YIELD user")[0]["user"],
    }

    def work(transaction: neo4j.Transaction) -> bool:
        return bool(list(transaction.run(_RECORD, parameters)))

    if not graph.write(work):
        raise lock_lost()


def _operating_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        return "unknown"
