"""One frozen settings tree, read once, from the environment and an optional TOML file.

``MEMGRAPH_…`` with ``__`` for nesting; ``…_FILE`` reads a secret from a file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings.sources import PydanticBaseSettingsSource

from memgraph.sections import JobSettings, KafkaSettings
from memgraph.sections import Section as _Section

PREFIX = "MEMGRAPH_"
_OTHER_PREFIXES = ("MEMGRAPH_TEST_",)
"""Read by the tests, not settings."""
CLIENT_VARIABLES = frozenset({"MEMGRAPH_URL", "MEMGRAPH_API_KEY"})
"""Read by the Python client, which may run in the same shell."""


Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]
MB = 1_024 * 1_024

PropertyName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
"""Metadata keys that can become the name of a property."""


class Neo4jSettings(_Section):
    uri: str = Field("", description="Bolt or neo4j URI. Empty: the local stack of data_dir.")
    user: str = Field("neo4j", description="User of the server.")
    password: SecretStr = Field(SecretStr(""), description="Password of the server.")
    database: str = Field("neo4j", description="Database on the server.")
    max_connections: int = Field(100, ge=1, description="Connections kept open at most.")
    max_concurrent: int = Field(100, ge=1, description="Operations at the same time.")
    acquire_timeout_ms: int = Field(5_000, ge=1, description="Longest wait for a permit, ms.")
    retry_for_s: float = Field(30.0, ge=0, description="How long a failed write is tried again, s.")


class IngestSettings(_Section):
    batch: int = Field(500, ge=1, le=10_000, description="Events in one transaction.")
    writers: int = Field(2, ge=1, le=16, description="Transactions at the same time.")
    wait_for_server_s: float = Field(
        600.0, ge=0, description="How long ingestion waits for a server that went away, s."
    )
    buffer_bytes: int = Field(
        256 * MB, ge=MB, description="Events on their way through one process, bytes."
    )
    events_per_s: float = Field(
        10_000.0, gt=0, description="Events that one process writes a second at most."
    )
    slow_write_s: float = Field(
        2.0, gt=0, description="A write that takes longer makes the process write less, s."
    )
    circuit_failure_rate: float = Field(
        0.5, gt=0, le=1, description="Share of failed writes in 30 s that stops further ones."
    )
    pii_policy: Literal["off", "flag", "redact", "refuse"] = Field(
        "flag",
        description="What happens to personal data where a tenant does not say: `off` does not "
        "look, `flag` notes its kinds, `redact` removes it, `refuse` takes no such event.",
    )
    names_model: str = Field(
        "",
        description="Pipeline of spaCy that finds names of people in texts (extra `ner`): the name "
        "of its package, or its folder. Empty: names are no personal data.",
    )


class ApiSettings(_Section):
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=1, le=65_535, description="Port to listen on.")
    # Without Redis several processes keep nothing in memory and share no idempotency keys.
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes that answer requests; 0: two where they share a Redis, else one.",
    )
    # Single writes share a commit with those of other threads: 64 clients got 263 prompts/s with
    # 64 threads, 221 with 32, 180 with 16, in turns on two busy cores; a worker took 135 MB.
    threads: int = Field(
        64, ge=1, le=256, description="Requests at the same time per worker; more get 503."
    )
    event_streams: int = Field(
        8, ge=1, le=256, description="Streams of events open at once per worker; more get 503."
    )
    event_stream_s: float = Field(
        600.0, gt=0, description="Longest stream of events; its listener comes back then, s."
    )
    graceful_timeout_s: int = Field(
        20, ge=1, le=60, description="How long a stopping worker may finish what it began, s."
    )


class LineageSettings(_Section):
    depth: int = Field(6, ge=1, le=12, description="Steps followed unless asked otherwise.")
    fan_out: int = Field(50, ge=1, le=1_000, description="Edges followed from one node.")
    max_nodes: int = Field(1_000, ge=1, le=10_000, description="Nodes of one answer.")


class RedisSettings(_Section):
    url: SecretStr = Field(
        SecretStr(""),
        description="Address of a Redis for this graph alone, `redis://:PASSWORD@HOST:PORT/0`. "
        "Empty: that of the local stack with its Neo4j, else each process keeps to its memory.",
    )


class CacheSettings(_Section):
    ttl_s: float = Field(60.0, gt=0, description="How long an answer is kept at most, s.")
    most_entries: int = Field(10_000, ge=1, description="Answers in the memory of a process.")
    most_bytes: int = Field(64 * MB, ge=1, description="Their size together, bytes.")
    most_entry_bytes: int = Field(
        MB, ge=1, description="Longer answers are not kept in Redis, bytes."
    )


class Rates(_Section):
    """Token buckets. The `limits` of a tenant may say otherwise for it and its clients."""

    client_per_s: float = Field(100.0, gt=0, description="Requests of one credential a second.")
    client_burst: int = Field(200, ge=1, description="Requests of one credential at once.")
    tenant_per_s: float = Field(10_000.0, gt=0, description="Requests of one tenant a second.")
    tenant_burst: int = Field(20_000, ge=1, description="Requests of one tenant at once.")


class LimitSettings(Rates):
    address_per_s: float = Field(
        2_000.0, gt=0, description="Requests of one address a second and process, not yet let in."
    )
    address_burst: int = Field(4_000, ge=1, description="Requests of one address at once.")
    trusted_proxies: int = Field(
        0, ge=0, description="Proxies in front whose `X-Forwarded-For` names the address."
    )
    packed_bytes: int = Field(8 * MB, ge=1, description="A request body as it is sent, bytes.")
    body_bytes: int = Field(32 * MB, ge=1, description="A request body unpacked, bytes.")
    packing_ratio: int = Field(
        200, ge=1, description="Unpacked to packed size, from one megabyte unpacked on."
    )
    json_depth: int = Field(64, ge=1, le=200, description="Arrays and objects inside each other.")
    statement_s: float = Field(30.0, gt=0, description="One transaction for a request, s.")
    stream_s: float = Field(600.0, gt=0, description="One streamed answer, s.")


class Issuer(_Section):
    """Who may issue tokens, and what their claims mean here."""

    issuer: str = Field(min_length=1, description="The `iss` claim, exactly.")
    audience: str = Field(min_length=1, description="What `aud` must contain.")
    jwks_url: str = Field(
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])",
        description="Where its public keys are, by https unless on this machine.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        min_length=1, description="Signatures it uses. Only those of public keys exist."
    )
    tenant_claim: str = Field("tenant_id", min_length=1, description="Claim that names the tenant.")
    roles_claim: str = Field("roles", min_length=1, description="Claim that lists the roles.")
    roles: dict[str, str] = Field(
        default={}, description="Roles here by the names the issuer uses; none: the same names."
    )
    tenants: tuple[str, ...] = Field(
        default=(), description="Tenants it may speak for; none: every tenant."
    )


class TokenSettings(_Section):
    issuers: tuple[Issuer, ...] = Field(
        default=(), description="Issuers of tokens that are let in."
    )


class RemoteEmbeddingSettings(_Section):
    url: str = Field(
        "",
        pattern=r"^$|^(https://|http://(127\.0\.0\.1|localhost)[:/])",
        description="Address of `/v1/embeddings` of a service that speaks as OpenAI's does, "
        "by https unless on this machine. Texts are sent there and nowhere else.",
    )
    api_key: SecretStr = Field(SecretStr(""), description="Sent as a bearer token; empty: none.")
    name: str = Field("", description="Name of the model there, such as text-embedding-3-small.")
    dimensions: int = Field(256, ge=1, le=4_096, description="Numbers of its vectors.")
    send_dimensions: bool = Field(
        True, description="Ask for vectors of that length; some services do not know the field."
    )
    batch: int = Field(64, ge=1, le=2_048, description="Texts of one request.")
    timeout_s: float = Field(30.0, gt=0, description="Longest wait for the endpoint, s.")
    retry_after_s: float = Field(
        1.0, gt=0, description="Pause before the one retry of 429 and of faults of the server, s."
    )


class EmbeddingSettings(_Section):
    """What makes vectors, and how a worker asks for them."""

    model: Literal["static", "minilm", "remote", "none"] = Field(
        "static",
        description="What makes vectors of prompts: `static` and `minilm` on this machine (extras "
        "`embeddings` and `minilm`), `remote` an endpoint, `none` nothing.",
    )
    batch: int = Field(500, ge=1, le=10_000, description="Prompts taken from the queue at once.")
    poll_s: float = Field(2.0, gt=0, description="Pause of a worker that found nothing to do, s.")
    remote: RemoteEmbeddingSettings = RemoteEmbeddingSettings()

    @property
    def dimensions(self) -> int:
        """Numbers of a vector, so of the index; `memgraph migrate` makes the index anew."""
        return {"minilm": 384, "remote": self.remote.dimensions}.get(self.model, 256)


class OutboxSettings(_Section):
    enabled: bool = Field(
        True, description="Keep the events of every write until a relay has delivered them."
    )
    topic: str = Field(
        "llm.memory-graph.events.v1", min_length=1, description="Kafka topic of the events."
    )
    feed_events: int = Field(
        100_000, ge=100, description="Latest events of each tenant kept in Redis, about."
    )
    keep_s: float = Field(
        7 * 86_400.0,
        ge=60,
        description="How long events wait where nothing takes them, and a silent feed stays, s.",
    )
    entries: int = Field(50, ge=1, le=1_000, description="Transactions delivered together.")
    poll_s: float = Field(0.25, gt=0, description="Pause of a relay that found nothing to do, s.")
    session_timeout_s: int = Field(
        30,
        ge=6,
        le=1_800,
        description="How long after the death of a reader others take its partitions over, s.",
    )
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port where a relay shows its metrics; 0: nowhere."
    )


class OtlpSettings(_Section):
    settle_s: float = Field(
        5.0, ge=0, description="How long a trace waits for more of its spans, s."
    )
    root_settle_s: float = Field(
        1.0, ge=0, description="How long it waits when the last to come held its root, s."
    )
    patience_s: float = Field(
        30.0,
        ge=0,
        description="How long it waits for what it names: spans above others, and the calls "
        "that a history tells of, s.",
    )
    keep_s: float = Field(
        3_600.0, ge=0, description="How long its spans are kept for such as come late, s."
    )
    poll_s: float = Field(0.5, gt=0, description="Pause of a worker that found nothing due, s.")
    grpc_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port of OTLP/gRPC (extra `grpc`), usually 4317; 0: it is not served.",
    )


class LocalSettings(_Section):
    heap_mb: int = Field(512, ge=256, description="Heap of a local Neo4j, MB.")
    page_cache_mb: int = Field(128, ge=16, description="Page cache of a local Neo4j, MB.")


class Settings(BaseSettings):
    """Everything that can be set. Unknown names are an error."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    data_dir: Path = Field(
        default_factory=lambda: user_data_path("memgraph"),
        description="Where the local stack keeps its data.",
    )
    tenant: str = Field(
        "default", min_length=1, max_length=512, description="Tenant of the command line."
    )
    promoted_metadata: dict[str, tuple[PropertyName, ...]] = Field(
        default={"Session": ("task_id", "trial")},
        description="Metadata keys per label that become properties with an index.",
    )
    neo4j: Neo4jSettings = Neo4jSettings()
    api: ApiSettings = ApiSettings()
    ingest: IngestSettings = IngestSettings()
    lineage: LineageSettings = LineageSettings()
    redis: RedisSettings = RedisSettings()
    cache: CacheSettings = CacheSettings()
    limits: LimitSettings = LimitSettings()
    tokens: TokenSettings = TokenSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    outbox: OutboxSettings = OutboxSettings()
    kafka: KafkaSettings = KafkaSettings()
    otlp: OtlpSettings = OtlpSettings()
    jobs: JobSettings = JobSettings()
    local: LocalSettings = LocalSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrules the file, which comes in as the initial values."""
        return (_Environment(settings_cls), init_settings)


class _Environment(EnvSettingsSource):
    """The environment, with secrets from ``…_FILE`` and no unknown names."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        variables = dict(super()._load_env_vars())
        prefix = PREFIX.lower()
        for name in [n for n in variables if n.startswith(prefix) and n.endswith("_file")]:
            path = variables.pop(name)
            variables[name.removesuffix("_file")] = Path(path or "").read_text().strip()
        return variables


class SettingsError(ValueError):
    """A setting is unknown or wrong. The message names it, never its value."""


def load_settings(config: Path | None = None) -> Settings:
    """Read the TOML file ``config`` and the environment. Raises SettingsError."""
    _refuse_unknown_variables()
    try:
        values: dict[str, Any] = tomllib.loads(config.read_text()) if config else {}
        return Settings(**values)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read settings: {error}") from None
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError("; ".join(lines)) from None


def _refuse_unknown_variables() -> None:
    known = {variable for variable, _ in variables()}
    for name in os.environ:
        if not name.startswith(PREFIX) or name.startswith(_OTHER_PREFIXES):
            continue
        if name in CLIENT_VARIABLES:
            continue
        if name.removesuffix("_FILE") not in known:
            raise SettingsError(f"{name} is not a setting; `memgraph config` lists them")


def variables(section: type[BaseModel] = Settings, prefix: str = PREFIX) -> list[tuple[str, Any]]:
    """Every environment variable with its field, in the order of the tree."""
    found: list[tuple[str, Any]] = []
    for name, field in section.model_fields.items():
        variable = prefix + name.upper()
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.extend(variables(kind, variable + "__"))
        else:
            found.append((variable, field))
    return found
