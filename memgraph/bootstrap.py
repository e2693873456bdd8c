"""Build the application from settings: the only module that knows every implementation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import stamina
from pydantic import SecretStr

from memgraph.domain.errors import StackError
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph.credentials import CredentialStore
from memgraph.graph.driver import open_driver
from memgraph.graph.nodes import NodeReader
from memgraph.graph.permits import Permits
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph, OnWait
from memgraph.graph.writer import Writer
from memgraph.services.access import Access
from memgraph.services.catalogue import Services
from memgraph.services.conversations import Conversations
from memgraph.services.readiness import Readiness
from memgraph.services.recording import Recorder
from memgraph.services.sessions import Sessions
from memgraph.settings import Neo4jSettings, Settings


def build_model(settings: Settings) -> GraphModel:
    """Read the classes once, with the metadata keys that settings promote."""
    return GraphModel.of(NODE_CLASSES, settings.promoted_metadata)


@dataclass(frozen=True, eq=False)
class App:
    """Everything an entry point needs. Close it when done."""

    settings: Settings
    model: GraphModel
    graph: Graph

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.graph, self.model)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.graph, self.model)

    @cached_property
    def credentials(self) -> CredentialStore:
        return CredentialStore(self.graph, self.model)

    @cached_property
    def services(self) -> Services:
        """What the service offers."""
        recorder = Recorder(self.writer, committers=self.settings.ingest.writers)
        nodes = NodeReader(self.graph, self.model)
        return Services(
            settings=self.settings,
            model=self.model,
            reader=self.reader,
            nodes=nodes,
            access=Access(self.credentials),
            sessions=Sessions(recorder, nodes),
            conversations=Conversations(recorder, nodes),
            readiness=Readiness(self.graph, self.model),
        )

    def close(self) -> None:
        self.graph.close()

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build(
    settings: Settings, *, retry_for_s: float | None = None, on_wait: OnWait | None = None
) -> App:
    """Connect the parts. ``retry_for_s`` and ``on_wait`` serve commands that wait for a server.

    Raises StackError when no server is configured and no local stack runs.
    """
    # `on_wait` tells of retries, not a library's log line.
    stamina.instrumentation.set_on_retry_hooks([])
    server = server_settings(settings)
    graph = Graph(
        open_driver(server),
        database=server.database,
        permits=Permits(server.max_concurrent, server.acquire_timeout_ms),
        retry_for_s=server.retry_for_s if retry_for_s is None else retry_for_s,
        on_wait=on_wait,
    )
    return App(settings, build_model(settings), graph)


def server_settings(settings: Settings) -> Neo4jSettings:
    """The configured server, else the local stack of the data directory."""
    if settings.neo4j.uri:
        return settings.neo4j
    from memgraph.local import find, last_failure

    stack = find(settings.data_dir)
    if stack is None or stack.bolt is None:
        failure = last_failure(settings.data_dir)
        raise StackError(
            (f"the local stack stopped: {failure}\n" if failure else "no Neo4j is running; ")
            + "start one with `memgraph up`, or set MEMGRAPH_NEO4J__URI to use yours"
        )
    return settings.neo4j.model_copy(
        update={
            "uri": stack.bolt,
            "user": stack.neo4j_user,
            "password": SecretStr(stack.neo4j_password or ""),
        }
    )
