"""What the sections of the settings share, and the longest of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class Section(BaseModel):
    """Settings that belong together. Unknown names are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class JobSettings(Section):
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port where a worker of jobs shows its metrics; 0: nowhere."
    )


class RegistrySettings(Section):
    url: str = Field(
        "",
        pattern=r"^(https?://[^\s@]+)?$",
        description="Address of the registry of schemas that values in its wire format name. "
        "Empty: values are JSON.",
    )
    user: str = Field("", description="User there, or the name of an API key; empty: nobody.")
    password: SecretStr = Field(SecretStr(""), description="Password there, or the key's secret.")
    ca_file: str = Field(
        "",
        description="Certificates that the registry's must be signed by. Empty: the system's.",
    )
    timeout_s: float = Field(
        5.0, gt=0, le=60, description="How long the registry is waited for before the next try, s."
    )


class KafkaSettings(Section):
    brokers: str = Field(
        "",
        description="Brokers to ask first, `host:port,host:port`. Empty: that of the local stack "
        "with its Neo4j.",
    )
    topics: tuple[TopicName, ...] = Field(
        (
            "llm.prompts.v1",
            "llm.responses.v1",
            "llm.sessions.v1",
            "llm-telemetry-events",
            "registry-changes",
        ),
        min_length=1,
        description="Topics to read. Whoever may write to them writes to the graph.",
    )
    group: str = Field(
        "memory-graph-ingestion", min_length=1, description="Consumer group of the readers."
    )
    tenant: str = Field(
        "",
        max_length=512,
        description="Tenant of the records. Empty: the tenant of the command line.",
    )
    trust_tenant_header: bool = Field(
        False, description="Let a record's header `tenant_id` name another tenant."
    )
    max_invalid_ratio: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a topic's last 1,000 records that may break the rules of events; "
        "more of them stop the reader.",
    )
    finish_s: float = Field(
        15.0,
        ge=0,
        le=240,
        description="How long a reader that stops or hands over a partition may finish what it "
        "began, s.",
    )
    session_timeout_s: int = Field(
        30,
        ge=6,
        le=1_800,
        description="How long after the death of a reader others take its partitions over, s.",
    )
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port where a reader shows its metrics; 0: nowhere."
    )
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How this client proves who it is, with SASL."
    )
    user: str = Field("", description="User at the brokers, with SASL.")
    password: SecretStr = Field(SecretStr(""), description="Password at the brokers, with SASL.")
    ca_file: str = Field(
        "",
        description="Certificates that those of the brokers must be signed by. Empty: the "
        "system's.",
    )
    registry: RegistrySettings = RegistrySettings()
