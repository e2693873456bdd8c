"""Every node class. A new class is one class in one file and one import here."""

from memgraph.domain.nodes.access import ApiKey
from memgraph.domain.nodes.agent import Agent, AgentConfiguration
from memgraph.domain.nodes.context import ContextDocument
from memgraph.domain.nodes.governance import Archive, AuditEvent, RetentionPolicy
from memgraph.domain.nodes.model import Model, ModelPrice, ModelVersion, Schema
from memgraph.domain.nodes.operations import (
    Anomaly,
    DeadLetter,
    IngestSource,
    JobRun,
    Outbox,
    Rollup,
    TraceAssembly,
    TraceFragment,
)
from memgraph.domain.nodes.principal import Application, Tenant, User
from memgraph.domain.nodes.prompt import Prompt, Response
from memgraph.domain.nodes.session import Session
from memgraph.domain.nodes.telemetry import Error, Invocation, PerformanceMetric, Score
from memgraph.domain.nodes.template import PromptTemplate
from memgraph.domain.nodes.tool import ToolInvocation
from memgraph.domain.schema import GraphNode

NODE_CLASSES: tuple[type[GraphNode], ...] = (
    Tenant,
    User,
    Application,
    Session,
    Agent,
    AgentConfiguration,
    Model,
    ModelVersion,
    ModelPrice,
    Schema,
    PromptTemplate,
    ContextDocument,
    Prompt,
    Response,
    ToolInvocation,
    Invocation,
    PerformanceMetric,
    Error,
    Score,
    Rollup,
    Anomaly,
    Archive,
    RetentionPolicy,
    AuditEvent,
    ApiKey,
    JobRun,
    Outbox,
    DeadLetter,
    IngestSource,
    TraceAssembly,
    TraceFragment,
)
"""In the order in which a batch writes them: every transaction takes locks the same way."""

__all__ = ["NODE_CLASSES", *(c.__name__ for c in NODE_CLASSES)]
