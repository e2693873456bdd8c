"""Build the application from settings: the only module that knows every implementation."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import SecretStr

from memgraph.domain.errors import StackError
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.domain.values import PiiPolicy
from memgraph.endpoints import kafka_brokers, redis_url, server_settings
from memgraph.graph.counts import read_census
from memgraph.graph.credentials import CredentialStore
from memgraph.graph.dead_letters import DeadLetterStore
from memgraph.graph.deletion import Deletion
from memgraph.graph.driver import open_driver
from memgraph.graph.embedding import EmbeddingQueue
from memgraph.graph.hashes import FactHashes
from memgraph.graph.neighbours import NeighbourReader
from memgraph.graph.nodes import NodeReader
from memgraph.graph.pending import PendingMessages
from memgraph.graph.permits import Permits
from memgraph.graph.reader import Reader
from memgraph.graph.search import Searcher
from memgraph.graph.selector import Selector
from memgraph.graph.session import Graph, OnWait, unwatched
from memgraph.graph.traces import TraceInbox
from memgraph.graph.writer import Writer
from memgraph.services.access import Access, KeepsKeys, VerifiesTokens
from memgraph.services.agents import Agents
from memgraph.services.catalogue import Services
from memgraph.services.consuming import Consumer, OnProgress
from memgraph.services.conversations import Conversations
from memgraph.services.cursors import Cursors
from memgraph.services.dead_letters import DeadLetters
from memgraph.services.embeddings import Embeddings
from memgraph.services.enrichment.items import OnPending, unnoticed
from memgraph.services.enrichment.reconcile import Reconciler, Reconciliation
from memgraph.services.enrichment.registry import GraphRegistry
from memgraph.services.enrichment.single import Enriching
from memgraph.services.enrichment.texts import Texts
from memgraph.services.enrichment.toolbox import Toolbox
from memgraph.services.ingest.delivery import Delivery
from memgraph.services.ingest.door import Door
from memgraph.services.ingest.pipeline import Pipeline
from memgraph.services.ingest.pressure import (
    AdaptiveRate,
    ByteBuffer,
    CircuitBreaker,
    Pressure,
)
from memgraph.services.ingest.traces import Traces
from memgraph.services.invalidation import Invalidation
from memgraph.services.known_keys import KnownKeys
from memgraph.services.limits import Limits
from memgraph.services.metering import (
    CENSUS_TIMEOUT_S,
    Census,
    MeteredWriter,
    NullMeters,
    Sampler,
    watching,
)
from memgraph.services.models import Models
from memgraph.services.ports import Embedder, Meters
from memgraph.services.questions import Questions
from memgraph.services.readiness import Readiness
from memgraph.services.recording import Recorder
from memgraph.services.sessions import Sessions
from memgraph.services.stream_batches import Settling
from memgraph.services.templates import Templates
from memgraph.settings import Settings

if TYPE_CHECKING:
    from memgraph.adapters.shared import Shared


def build_model(settings: Settings) -> GraphModel:
    """Read the classes once, with the metadata keys that settings promote."""
    return GraphModel.of(
        NODE_CLASSES, settings.promoted_metadata, dimensions=settings.embedding.dimensions
    )


@dataclass(frozen=True, eq=False)
class App:
    """Everything an entry point needs. Close it when done."""

    settings: Settings
    model: GraphModel
    graph: Graph
    meters: Meters = field(default_factory=NullMeters)
    secret: SecretStr = field(default_factory=lambda: SecretStr(""))
    """What every worker of an installation has: the password of the server."""

    redis_url: str = field(default="", repr=False)
    """Where processes of an installation meet; empty: this is the only one."""

    @cached_property
    def shared(self) -> Shared:
        # The command line starts faster without the client.
        from memgraph.adapters.shared import open_shared

        return open_shared(self.settings, self.redis_url)

    @cached_property
    def invalidation(self) -> Invalidation:
        return Invalidation(self.shared.cache)

    @cached_property
    def writer(self) -> Writer:
        return self._writer(self.graph)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.graph, self.model)

    @cached_property
    def credentials(self) -> CredentialStore:
        return CredentialStore(self.graph, self.model)

    @cached_property
    def questions(self) -> Questions:
        return self._questions(self.graph)

    @cached_property
    def services(self) -> Services:
        """What the service offers. Its statements end in time, those of commands need not."""
        limits = self.settings.limits
        graph = self.graph.bounded(timeout_s=limits.statement_s, stream_timeout_s=limits.stream_s)
        reader, nodes = Reader(graph, self.model), NodeReader(graph, self.model)
        writer = MeteredWriter(self._writer(graph), self.meters)
        texts = _texts(self.settings, waits=False)
        toolbox = self._toolbox(graph, texts, Reconciler(self._reconciliation(graph, texts)).note)
        recorder = Recorder(
            writer, committers=self.settings.ingest.writers, prepare=Enriching(toolbox)
        )
        told, announces = self.invalidation, self.settings.outbox.enabled
        deletion = Deletion(graph, self.model, on_deleted=told.replaced, announces=announces)
        pipeline = self._pipeline(toolbox, writer)
        return Services(
            settings=self.settings,
            model=self.model,
            reader=reader,
            nodes=nodes,
            access=Access(self._keys(CredentialStore(graph, self.model)), self.tokens),
            sessions=Sessions(recorder, nodes, reader, deletion),
            conversations=Conversations(recorder, nodes),
            agents=Agents(recorder, nodes, reader),
            templates=Templates(recorder, nodes, reader),
            models=Models(recorder, nodes, reader),
            questions=self._questions(graph),
            readiness=Readiness(graph, self.model),
            meters=self.meters,
            sampler=Sampler(
                self.meters,
                permits=self.graph.permits.figures,
                limit=self.graph.permits.limit,
                waiting=lambda: recorder.waiting,
                cache=self.shared.cache.figures,
                pressure=pipeline.pressure.figures,
            ),
            census=self._census(),
            cache=self.shared.cache,
            answers=self.shared.answers,
            limits=Limits(limits, nodes, self.shared.limiter, self.shared.alone),
            door=Door(pipeline),
            traces=Traces(TraceInbox(graph), pipeline, self.settings.otlp),
            dead_letters=DeadLetters(DeadLetterStore(graph, self.model), pipeline),
            feed=self.shared.feed,
        )

    @cached_property
    def pipeline(self) -> Pipeline:
        """The way in for commands: their statements take the time they need."""
        toolbox = self._toolbox(self.graph, self.texts)
        return self._pipeline(toolbox, MeteredWriter(self.writer, self.meters))

    @cached_property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(DeadLetterStore(self.graph, self.model), self.pipeline)

    @contextmanager
    def consumer(self, on_progress: OnProgress) -> Iterator[Consumer]:
        """A reader of the configured topics. Raises StackError without brokers or client."""
        brokers = kafka_brokers(self.settings)
        try:
            from memgraph.adapters.kafka import open_publisher, open_stream
        except ModuleNotFoundError as error:
            raise StackError(
                'Kafka needs an extra: pip install "llm-memory-graph[kafka]"', package=error.name
            ) from None
        from memgraph.adapters.schema_registry import open_schema_registry

        kafka = self.settings.kafka
        with (
            closing(open_publisher(kafka, brokers)) as publisher,
            open_schema_registry(kafka.registry) as as_json,
        ):
            settling = Settling(
                self.pipeline,
                publisher,
                self.meters,
                kafka.tenant or self.settings.tenant,
                kafka.trust_tenant_header,
                as_json,
            )
            stream = open_stream(kafka, brokers)
            yield Consumer(stream, settling, self.settings, self.meters, on_progress)

    def _writer(self, graph: Graph) -> Writer:
        announces = self.settings.outbox.enabled
        told = self.invalidation.written
        return Writer(graph, self.model, on_written=told, announces=announces)

    def _toolbox(self, graph: Graph, texts: Texts, on_pending: OnPending = unnoticed) -> Toolbox:
        return Toolbox(
            texts,
            GraphRegistry(Reader(graph, self.model)),
            FactHashes(graph, self.model).find,
            NodeReader(graph, self.model),
            default_policy=PiiPolicy(self.settings.ingest.pii_policy),
            embeds=self.settings.embedding.model != "none",
            on_pending=on_pending,
        )

    def _pipeline(self, toolbox: Toolbox, writer: MeteredWriter) -> Pipeline:
        settings = self.settings.ingest
        return Pipeline(
            toolbox,
            Delivery(writer),
            self.shared.seen,
            self.meters,
            Pressure(
                ByteBuffer(settings.buffer_bytes),
                AdaptiveRate(settings.events_per_s, slow_s=settings.slow_write_s),
                CircuitBreaker(failure_rate=settings.circuit_failure_rate),
            ),
        )

    @cached_property
    def reconciliation(self) -> Reconciliation:
        return self._reconciliation(self.graph, self.texts)

    def _reconciliation(self, graph: Graph, texts: Texts) -> Reconciliation:
        registry = GraphRegistry(Reader(graph, self.model))
        return Reconciliation(PendingMessages(graph, self.model), texts, registry)

    @cached_property
    def texts(self) -> Texts:
        """What commands and workers look at texts with; they wait for its models."""
        return _texts(self.settings, waits=True)

    def _census(self) -> Census:
        graph = self.graph.bounded(timeout_s=CENSUS_TIMEOUT_S, stream_timeout_s=CENSUS_TIMEOUT_S)
        return Census(self.meters, lambda: read_census(graph, self.model))

    def _keys(self, store: CredentialStore) -> KeepsKeys:
        # Without Redis a command in another process could not tell that it revoked a key.
        return KnownKeys(store, self.shared.cache) if self.redis_url else store

    def _questions(self, graph: Graph) -> Questions:
        return Questions(
            self.model,
            NodeReader(graph, self.model),
            Selector(graph, self.model),
            Searcher(graph),
            NeighbourReader(graph),
            Cursors(self.secret.get_secret_value().encode()),
            self.embedder,
        )

    @cached_property
    def embedder(self) -> Embedder | None:
        """The configured model of vectors; None when there is none or its extra is missing."""
        from memgraph.adapters.embedders import find_embedder

        return find_embedder(self.settings.embedding)

    @cached_property
    def embeddings(self) -> Embeddings:
        """What gives prompts their vectors. Raises EmbedderUnavailable."""
        from memgraph.adapters.embedders import open_embedder
        from memgraph.adapters.segments import open_segments

        embedder, queue = open_embedder(self.settings.embedding), EmbeddingQueue(self.graph)
        return Embeddings(
            queue,
            embedder,
            open_segments(self.settings.data_dir, embedder),
            list_tenants=queue.list_tenants,
            on_changed=self.invalidation.replaced,
            meters=self.meters,
        )

    @cached_property
    def tokens(self) -> VerifiesTokens | None:
        """The verifier of tokens; None when no issuer is configured."""
        issuers = self.settings.tokens.issuers
        if not issuers:
            return None
        from memgraph.adapters.tokens import TokenVerifier

        return TokenVerifier(issuers)

    def close(self) -> None:
        # Only what was made: a command needs few of the parts.
        for name in ("shared", "tokens", "embedder", "embeddings"):
            if (part := self.__dict__.get(name)) is not None:
                part.close()
        self.graph.close()

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def collect_seldom() -> None:
    """Let this process look for cycles of objects less often; for processes of our own.

    A batch makes a hundred thousand objects that live until its commit, and the collector
    walks them over and over: 350 us of processor per event with Python's defaults, 240 with
    these (batches of 500, Python 3.11). It runs after so many objects more than were freed.
    """
    gc.set_threshold(50_000, 10, 10)


def build(
    settings: Settings,
    *,
    retry_for_s: float | None = None,
    on_wait: OnWait | None = None,
    meters: Meters | None = None,
) -> App:
    """Connect the parts. ``retry_for_s`` and ``on_wait`` serve commands that wait for a server.

    With ``meters`` each statement is counted, timed and traced.

    Raises StackError when no server is configured and no local stack runs.
    """
    server = server_settings(settings)
    graph = Graph(
        open_driver(server),
        database=server.database,
        permits=Permits(server.max_concurrent, server.acquire_timeout_ms),
        retry_for_s=server.retry_for_s if retry_for_s is None else retry_for_s,
        on_wait=on_wait,
        watch=watching(meters) if meters else unwatched,
    )
    return App(
        settings,
        build_model(settings),
        graph,
        meters or NullMeters(),
        secret=server.password,
        redis_url=redis_url(settings),
    )


def _texts(settings: Settings, *, waits: bool) -> Texts:
    # Vocabularies and models are loaded by the first text.
    from memgraph.adapters.names import open_names
    from memgraph.adapters.text import LanguageDetector, TokenCounter

    names = open_names(settings.ingest.names_model)
    return Texts(LanguageDetector(waits=waits), TokenCounter(), names)
