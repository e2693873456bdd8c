"""Every metric, declared once: name, kind, unit, labels, meaning. No library, no figures.

Labels hold names out of code (operations, statements, labels of the graph, codes of errors)
and never what callers send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "llm_memory_graph_"

UNMATCHED = "unmatched"
"""Operation of requests that no route takes, or that are turned away before one is looked for."""

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["livesum", "livemax", "livemostrecent"]

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of every histogram, in seconds."""


# Compared by identity, because figures are looked up by it all the time.
@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric; ``merge`` says how the gauges of several workers become one figure."""

    short: str
    kind: Kind
    meaning: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    merge: Merge = "livesum"

    @property
    def name(self) -> str:
        """The name that is scraped; a library adds `_bucket`, `_sum`, `_count` to histograms."""
        return PREFIX + self.short


REQUESTS = Metric(
    "http_requests_total",
    "counter",
    "Requests answered, by operation.",
    labels=("operation", "method", "status"),
)
REQUEST_SECONDS = Metric(
    "http_request_duration_seconds",
    "histogram",
    "Time from a request's arrival to the last byte of its answer.",
    "seconds",
    ("operation",),
)

QUERIES = Metric(
    "queries_total",
    "counter",
    "Reading statements run, by name; `status` is `ok` or the code of the error.",
    labels=("type", "status"),
)
QUERY_SECONDS = Metric(
    "query_duration_seconds",
    "histogram",
    "Time of a reading statement until its last row was taken.",
    "seconds",
    ("type",),
)
WRITE_STATEMENT_SECONDS = Metric(
    "graph_write_duration_seconds",
    "histogram",
    "Time of a statement inside a writing transaction, by name.",
    "seconds",
    ("operation_type",),
)

WRITE_SECONDS = Metric(
    "write_latency_seconds",
    "histogram",
    "Time of a batch from its first statement to its commit, retries included.",
    "seconds",
    ("storage_backend",),
)
WRITE_ATTEMPTS = Metric(
    "write_attempts_total", "counter", "Transactions begun for batches; more than batches: retries."
)
WRITE_FAILURES = Metric(
    "write_failures_total",
    "counter",
    "Batches of which nothing was written, by the code of the error.",
    labels=("code",),
)
EVENTS_RECEIVED = Metric(
    "events_received_total",
    "counter",
    "Events given to the writer, by what they are about and where they came from.",
    labels=("event_type", "source"),
)
EVENTS_PROCESSED = Metric(
    "events_processed_total",
    "counter",
    "Events that a commit settled; `status` is stored, duplicate, rejected or dead_lettered.",
    labels=("event_type", "status"),
)
STAGE_SECONDS = Metric(
    "ingest_stage_duration_seconds",
    "histogram",
    "Time of one stage of the pipeline for one batch.",
    "seconds",
    ("stage",),
)
STAGE_EVENTS = Metric(
    "ingest_stage_events_total", "counter", "Events that a stage looked at.", labels=("stage",)
)
STAGE_ENDED = Metric(
    "ingest_stage_ended_total",
    "counter",
    "Events that a stage took out of the pipeline, by how they ended.",
    labels=("stage", "status"),
)
SOURCE_EVENTS = Metric(
    "ingest_events_total",
    "counter",
    "Events by the door they came in by; `status` is received, stored, duplicate, rejected or "
    "dead_lettered, and the four add up to the first.",
    labels=("source", "status"),
)
UNBALANCED_SOURCES = Metric(
    "ingest_unbalanced_sources",
    "gauge",
    "Sources of all tenants whose sums did not add up at the last check; shown by the worker of "
    "jobs.",
    merge="livemostrecent",
)
BUFFER_BYTES = Metric(
    "ingest_buffer_bytes", "gauge", "Bytes of events on their way through the pipeline.", "bytes"
)
WRITE_RATE_LIMIT = Metric(
    "ingest_rate_limit", "gauge", "Events a second that writes may take now.", merge="livemax"
)
CIRCUIT_OPEN = Metric(
    "ingest_circuit_open", "gauge", "Workers whose circuit breaker lets no write through."
)
NODES_CREATED = Metric("nodes_created_total", "counter", "Nodes that the writer created.")
EDGES_CREATED = Metric("edges_created_total", "counter", "Relationships that the writer created.")

GRAPH_NODES = Metric(
    "graph_nodes_total",
    "gauge",
    "Nodes of all tenants by label, placeholders and tombstones included; half a minute old.",
    labels=("label",),
    merge="livemostrecent",
)
GRAPH_EDGES = Metric(
    "graph_edges_total",
    "gauge",
    "Relationships of all tenants by type; half a minute old.",
    labels=("type",),
    merge="livemostrecent",
)

RECORDER_WAITING = Metric(
    "recorder_waiting", "gauge", "Single writes that wait for their shared commit."
)
PERMITS_LIMIT = Metric("permits_limit", "gauge", "Statements that may run at the same time.")
PERMITS_ACTIVE = Metric("permits_active", "gauge", "Permits in use.")
PERMITS_PEAK = Metric(
    "permits_peak", "gauge", "Most permits that one worker ever had in use.", merge="livemax"
)
PERMITS_GRANTED = Metric("permits_granted_total", "counter", "Permits handed out.")
PERMITS_REFUSED = Metric(
    "permits_refused_total", "counter", "Times that no permit came free in time."
)
PERMITS_FAILED = Metric(
    "permits_failed_total", "counter", "Operations that ended with an error while they held one."
)
PERMITS_WAIT_SECONDS = Metric(
    "permits_wait_seconds_total", "counter", "Time spent waiting for permits.", "seconds"
)

CACHE_HITS = Metric("cache_hits_total", "counter", "Reads that the cache answered.")
CACHE_MISSES = Metric("cache_misses_total", "counter", "Reads that the graph had to answer.")
CACHE_FAILURES = Metric(
    "cache_failures_total", "counter", "Times that the store behind the cache did not answer."
)
CACHE_HIT_RATE = Metric(
    "cache_hit_rate",
    "gauge",
    "Share of the reads that the cache answered since its worker began, of the one asked last.",
    "percent",
    merge="livemostrecent",
)

EMBEDDED_TEXTS = Metric(
    "embedded_texts_total",
    "counter",
    "Texts of prompts that left the queue; `outcome` is computed, reused (its vector was known) "
    "or refused.",
    labels=("outcome",),
)

KAFKA_LAG = Metric(
    "kafka_lag_messages",
    "gauge",
    "Records of a topic that this reader's partitions hold and that are not committed yet.",
    labels=("topic",),
)
KAFKA_RECORDS = Metric(
    "kafka_records_total", "counter", "Records read, by topic.", labels=("topic",)
)
KAFKA_BATCHES = Metric(
    "kafka_batches_total", "counter", "Batches of records settled, by topic.", labels=("topic",)
)
KAFKA_PAUSED = Metric(
    "kafka_paused_partitions", "gauge", "Partitions that wait until what was read is settled."
)
KAFKA_REBALANCES = Metric(
    "kafka_rebalances_total", "counter", "Times that partitions came, went or were lost."
)
KAFKA_COPIES = Metric(
    "kafka_dead_letter_copies_total",
    "counter",
    "Copies of dead letters appended to `<topic>.dlq`, by topic.",
    labels=("topic",),
)

OUTBOX_WAITING = Metric(
    "outbox_waiting",
    "gauge",
    "Transactions of all tenants whose events wait for the relay; half a minute old.",
    merge="livemostrecent",
)
OUTBOX_OLDEST_SECONDS = Metric(
    "outbox_oldest_seconds",
    "gauge",
    "How long the oldest of them waits; half a minute old.",
    "seconds",
    merge="livemostrecent",
)
OUTBOX_DELIVERED = Metric(
    "outbox_delivered_total",
    "counter",
    "Events that a sink took, repeats included.",
    labels=("sink", "kind"),
)
OUTBOX_FAILED = Metric(
    "outbox_failed_total", "counter", "Deliveries that a sink did not take.", labels=("sink",)
)
JOB_RUNS = Metric(
    "job_runs_total",
    "counter",
    "Runs of jobs; `status` is `ok`, the code of the error, or `failed`.",
    labels=("job", "status"),
)
EVENT_STREAMS = Metric("event_streams", "gauge", "Streams of events that are open.")

ALL: tuple[Metric, ...] = tuple(m for m in globals().values() if isinstance(m, Metric))
