"""Model, ModelVersion, ModelPrice, Schema: what the registry knows."""

from __future__ import annotations

from neomodel import (
    ArrayProperty,
    BooleanProperty,
    DateTimeNeo4jFormatProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    StringProperty,
)

from memgraph.domain.edges import PreviousVersion, Prices, UsesModel, VersionOf
from memgraph.domain.schema import FactNode, LivingNode, incoming, outgoing, recorded_time


class Model(LivingNode):
    """A model by the name that callers use."""

    key = ("model_id",)
    is_hub = True

    model_id = StringProperty(required=True, help_text="Key of the model: gen_ai.request.model.")
    provider = StringProperty(index=True, help_text="gen_ai.provider.name.")
    family = StringProperty(help_text="Line of models it belongs to.")
    capabilities = ArrayProperty(StringProperty(), help_text="chat, vision, tools, …")
    context_window = IntegerProperty(unit="tokens", help_text="Longest input and output.")
    max_output_tokens = IntegerProperty(unit="tokens", help_text="Longest output.")
    training_cutoff = StringProperty(help_text="Date of the newest training data, ISO 8601.")
    released_at = DateTimeNeo4jFormatProperty(help_text="When it was released, UTC.")
    deprecated_at = DateTimeNeo4jFormatProperty(help_text="When it was or will be retired, UTC.")
    is_deleted = BooleanProperty(help_text="Deleted in the registry; kept for lineage.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    versions = incoming(VersionOf, "ModelVersion")
    prompts = incoming(UsesModel, "Prompt")
    responses = incoming(UsesModel, "Response")
    invocations = incoming(UsesModel, "Invocation")


class ModelVersion(LivingNode):
    """A version of a model with its prices; a new price is a new version."""

    key = ("model_id", "version")
    is_hub = True
    caption = "version"

    model_id = StringProperty(required=True, help_text="Key of the model.")
    version = StringProperty(required=True, help_text="Version as the registry names it.")
    input_usd_per_1k = FloatProperty(unit="USD/1000 tokens", help_text="Price of input tokens.")
    output_usd_per_1k = FloatProperty(unit="USD/1000 tokens", help_text="Price of output tokens.")
    valid_from = DateTimeNeo4jFormatProperty(
        index=True, help_text="From when the prices hold, UTC."
    )
    released_at = DateTimeNeo4jFormatProperty(help_text="When it was released, UTC.")
    deprecated_at = DateTimeNeo4jFormatProperty(help_text="When it was or will be retired, UTC.")
    changelog = StringProperty(help_text="What is new.")
    is_deleted = BooleanProperty(help_text="Deleted in the registry; kept for lineage.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    model = outgoing(VersionOf, "Model")
    previous_version = outgoing(PreviousVersion, "ModelVersion")
    next_version = incoming(PreviousVersion, "ModelVersion")
    prices = incoming(Prices, "ModelPrice")
    prompts = incoming(UsesModel, "Prompt")
    responses = incoming(UsesModel, "Response")
    invocations = incoming(UsesModel, "Invocation")


class ModelPrice(FactNode):
    """What one event said a version of a model costs; what is absent it did not say."""

    key = ("price_id",)

    price_id = StringProperty(required=True, help_text="Key: the id of its event.")
    input_usd_per_1k = FloatProperty(unit="USD/1000 tokens", help_text="Price of input tokens.")
    output_usd_per_1k = FloatProperty(unit="USD/1000 tokens", help_text="Price of output tokens.")
    valid_from = DateTimeNeo4jFormatProperty(help_text="From when the prices hold, UTC.")
    recorded_at = recorded_time()

    model_version = outgoing(Prices, "ModelVersion")


class Schema(LivingNode):
    """A version of a JSON schema that models were called with."""

    key = ("schema_id", "version")
    caption = "schema_id"

    schema_id = StringProperty(required=True, help_text="Key of the schema.")
    version = StringProperty(required=True, help_text="Version as the registry names it.")
    json_schema = JSONProperty(help_text="The schema.")
    compatible_models = ArrayProperty(StringProperty(), help_text="Models that accept it.")
    is_deleted = BooleanProperty(help_text="Deleted in the registry; kept for lineage.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    previous_version = outgoing(PreviousVersion, "Schema")
