"""Enumerations and limits. The words are those of OpenTelemetry GenAI and of the event schemas."""

from __future__ import annotations

from enum import StrEnum

MAX_TEXT_CHARS = 1_000_000
"""Longest prompt or response text, in characters."""
MAX_KEY_CHARS = 512
"""Longest key of a node, in characters: an index entry of Neo4j holds about 8 kB."""
MAX_DEPTH = 32
"""Deepest nesting of free-form JSON."""
MAX_JSON_CHARS = 1_000_000
"""Largest free-form JSON value, in characters of its keys and texts."""
MAX_ITEMS = 1_000
"""Longest list in an event (tags, documents, tool calls, …)."""
MAX_INTEGER = 2**63 - 1
"""Largest integer a Neo4j property holds."""
MAX_COUNT = 2**40
"""Largest count or amount in an event: sums over eight million of them still fit 64 bits."""


class Lifecycle(StrEnum):
    """How nodes of a class come to be and change."""

    FACT = "fact"
    """Written once; other content under the same key is a conflict."""
    LIVING = "living"
    """Created by whoever names it first, changed by events, last writer wins per property."""
    RECORD = "record"
    """Kept by a service or job under rules of its own."""


class Purpose(StrEnum):
    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    FINE_TUNE = "fine_tune"
    OTHER = "other"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    FUNCTION_CALL = "function_call"
    TOOL_CALLS = "tool_calls"
    ERROR = "error"


class Classification(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"
    PII = "pii"


class PiiPolicy(StrEnum):
    OFF = "off"
    FLAG = "flag"
    REDACT = "redact"
    REFUSE = "refuse"


class ToolStatus(StrEnum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"


class AgentStatus(StrEnum):
    ACTIVE = "active"
    IDLE = "idle"
    BUSY = "busy"
    PAUSED = "paused"
    TERMINATED = "terminated"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class ContextKind(StrEnum):
    DOCUMENT = "document"
    WEB_PAGE = "web_page"
    DATABASE = "database"
    VECTOR_SEARCH = "vector_search"
    MEMORY = "memory"


class ScoreSource(StrEnum):
    USER = "user"
    EVALUATOR = "evaluator"
    BENCHMARK = "benchmark"


class TemplateOrigin(StrEnum):
    REGISTERED = "registered"
    MINED = "mined"


class InvocationStatus(StrEnum):
    STARTED = "started"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"


class Grain(StrEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class AnomalyState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class RetentionLevel(StrEnum):
    STANDARD = "standard"
    HIPAA = "hipaa"
    GDPR = "gdpr"
    PCI = "pci"
