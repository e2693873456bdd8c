"""Everything the service offers, as one value that entry points pass on."""

from __future__ import annotations

from dataclasses import dataclass

from memgraph.domain.schema import GraphModel
from memgraph.graph.nodes import NodeReader
from memgraph.graph.reader import Reader
from memgraph.services.access import Access
from memgraph.services.agents import Agents
from memgraph.services.conversations import Conversations
from memgraph.services.dead_letters import DeadLetters
from memgraph.services.ingest.door import Door
from memgraph.services.ingest.traces import Traces
from memgraph.services.limits import Limits
from memgraph.services.metering import Census, Sampler
from memgraph.services.models import Models
from memgraph.services.ports import AnswerStore, Cache, EventFeed, Meters
from memgraph.services.questions import Questions
from memgraph.services.readiness import Readiness
from memgraph.services.sessions import Sessions
from memgraph.services.templates import Templates
from memgraph.settings import Settings


@dataclass(frozen=True, eq=False)
class Services:
    """The use cases, and the readers of plain questions."""

    settings: Settings
    model: GraphModel
    reader: Reader
    nodes: NodeReader
    access: Access
    sessions: Sessions
    conversations: Conversations
    agents: Agents
    templates: Templates
    models: Models
    questions: Questions
    readiness: Readiness
    meters: Meters
    sampler: Sampler
    census: Census
    cache: Cache
    answers: AnswerStore
    limits: Limits
    door: Door
    traces: Traces
    dead_letters: DeadLetters
    feed: EventFeed | None = None
    """None without Redis."""
