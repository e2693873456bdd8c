"""Invocation, PerformanceMetric, Error, Score: what was measured and judged."""

from __future__ import annotations

from neomodel import (
    BooleanProperty,
    DateTimeNeo4jFormatProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    StringProperty,
)

from memgraph.domain.edges import (
    CausedError,
    FollowedBy,
    HasMetric,
    Scores,
    TriggeredBy,
    UsesModel,
)
from memgraph.domain.schema import FactNode, LivingNode, incoming, outgoing
from memgraph.domain.values import InvocationStatus, ScoreSource


class Invocation(LivingNode):
    """One call of a model as telemetry saw it: started, then complete, in error or timed out."""

    key = ("invocation_id",)
    caption = "model_id"

    invocation_id = StringProperty(required=True, help_text="Key of the call.")
    model_id = StringProperty(index=True, help_text="Model as sent.")
    provider = StringProperty(help_text="gen_ai.provider.name as sent.")
    status = StringProperty(enum=InvocationStatus, index=True, help_text="How it ended.")
    token_count = IntegerProperty(unit="tokens", help_text="Input and output tokens.")
    latency_ms = FloatProperty(unit="ms", help_text="From request to last token.")
    trace_id = StringProperty(index=True, help_text="W3C trace id, hex.")
    span_id = StringProperty(help_text="W3C span id, hex.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    followed_by = outgoing(FollowedBy, "Invocation")
    metrics = outgoing(HasMetric, "PerformanceMetric")
    errors = outgoing(CausedError, "Error")
    model = outgoing(UsesModel, "Model")
    model_version_used = outgoing(UsesModel, "ModelVersion")


class PerformanceMetric(FactNode):
    """A measurement: of one invocation, or aggregated by the sender."""

    key = ("metric_id",)
    caption = "name"

    metric_id = StringProperty(required=True, help_text="Key of the measurement: its event id.")
    name = StringProperty(index=True, help_text="What was measured, with its unit.")
    value = FloatProperty(help_text="The value in the unit of the name.")
    percentile = FloatProperty(help_text="Percentile that the value stands for, 0 to 100.")
    model_id = StringProperty(index=True, help_text="Model as sent.")
    window_start = DateTimeNeo4jFormatProperty(help_text="Start of the aggregate, UTC.")
    window_end = DateTimeNeo4jFormatProperty(help_text="End of the aggregate, UTC.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    invocation = incoming(HasMetric, "Invocation")


class Error(FactNode):
    """An error that happened; errors form chains."""

    key = ("error_id",)
    caption = "error_type"

    error_id = StringProperty(required=True, help_text="Key of the error: its event id.")
    error_type = StringProperty(index=True, help_text="error.type.")
    code = StringProperty(help_text="Error code as sent.")
    message = StringProperty(help_text="Error message as sent.")
    severity = StringProperty(help_text="How bad, as sent.")
    is_recoverable = BooleanProperty(help_text="The sender holds that a retry may help.")
    trace_id = StringProperty(index=True, help_text="W3C trace id, hex.")
    span_id = StringProperty(help_text="W3C span id, hex.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    triggered_by = outgoing(TriggeredBy, "Error")
    invocation = incoming(CausedError, "Invocation")


class Score(FactNode):
    """A judgement of a response, a prompt or a session."""

    key = ("score_id",)
    caption = "name"

    score_id = StringProperty(required=True, help_text="Key of the score.")
    name = StringProperty(index=True, help_text="What was judged, such as reward.")
    value = FloatProperty(index=True, help_text="The judgement.")
    source = StringProperty(enum=ScoreSource, help_text="Who judged.")
    comment = StringProperty(help_text="Why.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    response = outgoing(Scores, "Response")
    prompt = outgoing(Scores, "Prompt")
    session = outgoing(Scores, "Session")
