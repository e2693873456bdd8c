"""Rollup, Anomaly, JobRun, Outbox, DeadLetter: what jobs and pipelines keep."""

from __future__ import annotations

from neomodel import (
    ArrayProperty,
    DateTimeNeo4jFormatProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    StringProperty,
)

from memgraph.domain.edges import Flags, Summarises
from memgraph.domain.schema import GraphNode, outgoing
from memgraph.domain.values import AnomalyState, Grain


class Rollup(GraphNode):
    """Counts, tokens, cost and latency of one scope in one bucket of time."""

    key = ("scope", "grain", "bucket")
    caption = "scope"

    scope = StringProperty(required=True, help_text="Kind and key, such as model:gpt-4o.")
    grain = StringProperty(required=True, enum=Grain, help_text="Length of the bucket.")
    bucket = DateTimeNeo4jFormatProperty(required=True, help_text="Start of the bucket, UTC.")
    prompt_count = IntegerProperty(help_text="Prompts.")
    response_count = IntegerProperty(help_text="Responses.")
    error_count = IntegerProperty(help_text="Responses with an error.")
    prompt_tokens = IntegerProperty(unit="tokens", help_text="Input tokens.")
    completion_tokens = IntegerProperty(unit="tokens", help_text="Output tokens.")
    cost_usd = FloatProperty(unit="USD", help_text="Sum of the costs.")
    latency_p50_ms = FloatProperty(unit="ms", help_text="Median latency.")
    latency_p95_ms = FloatProperty(unit="ms", help_text="95th percentile of latency.")
    latency_p99_ms = FloatProperty(unit="ms", help_text="99th percentile of latency.")
    latency_sketch = StringProperty(help_text="Mergeable sketch of the latencies, base64.")
    updated_at = DateTimeNeo4jFormatProperty(help_text="When it was last folded, UTC.")

    tenant = outgoing(Summarises, "Tenant")
    model = outgoing(Summarises, "Model")
    user = outgoing(Summarises, "User")
    application = outgoing(Summarises, "Application")


class Anomaly(GraphNode):
    """Something unusual that the nightly job found."""

    key = ("anomaly_id",)
    caption = "kind"

    anomaly_id = StringProperty(required=True, help_text="Key of the anomaly.")
    kind = StringProperty(index=True, help_text="What is unusual, such as latency.")
    score = FloatProperty(help_text="How unusual, higher is more.")
    features = JSONProperty(help_text="Values that were judged.")
    window_start = DateTimeNeo4jFormatProperty(help_text="Start of the window, UTC.")
    window_end = DateTimeNeo4jFormatProperty(help_text="End of the window, UTC.")
    state = StringProperty(enum=AnomalyState, index=True, help_text="Who has seen it.")
    updated_at = DateTimeNeo4jFormatProperty(help_text="When the state changed, UTC.")

    prompt = outgoing(Flags, "Prompt")
    response = outgoing(Flags, "Response")
    session = outgoing(Flags, "Session")
    agent = outgoing(Flags, "Agent")


class JobRun(GraphNode):
    """One run of a job for one slot: its lease, progress and outcome."""

    key = ("job", "slot")
    is_content = False
    caption = "job"

    job = StringProperty(required=True, help_text="Name of the job.")
    slot = StringProperty(required=True, help_text="Period that the run covers.")
    lease_owner = StringProperty(help_text="Worker that holds the lease.")
    fencing_number = IntegerProperty(
        help_text="Raised with every lease; older holders are refused."
    )
    heartbeat_at = DateTimeNeo4jFormatProperty(help_text="Last sign of life, UTC.")
    checkpoint = JSONProperty(help_text="Where the next slice begins.")
    counts = JSONProperty(help_text="What was done so far.")
    outcome = StringProperty(index=True, help_text="running, done or failed.")
    finished_at = DateTimeNeo4jFormatProperty(help_text="When it ended, UTC.")
    updated_at = DateTimeNeo4jFormatProperty(help_text="When it last changed, UTC.")


class Outbox(GraphNode):
    """The events of one write transaction, until they are delivered."""

    key = ("sequence",)
    is_content = False

    sequence = IntegerProperty(
        required=True, help_text="Counts the tenant's transactions in the order of their commits."
    )
    events = JSONProperty(help_text="The events, in order.")


class IngestSource(GraphNode):
    """A door or file that events came in by, and what became of them."""

    key = ("source",)
    is_content = False
    caption = "source"

    source = StringProperty(required=True, help_text="Door or file, such as api or kafka.")
    received = IntegerProperty(help_text="Events that the door took, as the door counted.")
    stored = IntegerProperty(help_text="Events that changed the graph.")
    duplicate = IntegerProperty(help_text="Events that were known already.")
    rejected = IntegerProperty(help_text="Events whose sender was told that they are not taken.")
    dead_lettered = IntegerProperty(help_text="Events kept as dead letters.")
    counted = ArrayProperty(
        StringProperty(),
        help_text="Latest batches that were counted, so that a repeated commit counts once.",
    )
    updated_at = DateTimeNeo4jFormatProperty(help_text="When it last took something, UTC.")


class TraceAssembly(GraphNode):
    """A trace whose spans come in: when they are to be put together."""

    key = ("trace_id",)
    is_content = False
    caption = "trace_id"

    trace_id = StringProperty(required=True, help_text="Trace id, hex.")
    due_at = DateTimeNeo4jFormatProperty(
        index=True, help_text="When it is put together, or removed when nothing is new, UTC."
    )
    taken_at = DateTimeNeo4jFormatProperty(help_text="When it was taken to be worked at, UTC.")
    assembled_at = DateTimeNeo4jFormatProperty(
        help_text="When it was put together, UTC; absent when something is new."
    )
    updated_at = DateTimeNeo4jFormatProperty(help_text="When spans last came, UTC.")


class TraceFragment(GraphNode):
    """Spans and log records of one trace that came together, until the trace is settled."""

    key = ("fragment_id",)
    is_content = False

    fragment_id = StringProperty(required=True, help_text="SHA-256 of trace id and content, hex.")
    trace_id = StringProperty(required=True, index=True, help_text="Trace id, hex.")
    content = StringProperty(help_text="The spans and log records, packed JSON in base64.")


class DeadLetter(GraphNode):
    """An event that could not be stored, with the reason and its original bytes."""

    key = ("dead_letter_id",)
    is_content = False
    caption = "reason"

    dead_letter_id = StringProperty(
        required=True, help_text="SHA-256 of source, reason and bytes, hex: the same event once."
    )
    source = StringProperty(index=True, help_text="Door or file it came in by.")
    reason = StringProperty(index=True, help_text="Code of the error.")
    stage = StringProperty(help_text="Step that refused it.")
    detail = JSONProperty(help_text="Named facts of the error, such as the two digests.")
    payload = StringProperty(help_text="The original bytes, base64.")
    attempts = IntegerProperty(help_text="How often it was tried.")
    updated_at = DateTimeNeo4jFormatProperty(help_text="When it was last tried, UTC.")
