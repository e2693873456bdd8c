"""The client: one service, one API key, one pool of connections."""

from __future__ import annotations

import os

import httpx2

from memgraph_sdk.conversations import (
    Handoffs,
    Prompts,
    Responses,
    Scores,
    Sessions,
    ToolInvocations,
)
from memgraph_sdk.ingestion import DeadLetters, Events, Telemetry
from memgraph_sdk.questions import Questions
from memgraph_sdk.registry import (
    Agents,
    ApiKeys,
    ContextDocuments,
    Models,
    Templates,
    Tenants,
    Tools,
    Users,
)
from memgraph_sdk.transport import Transport
from memgraph_sdk.version import __version__

URL_VARIABLE = "MEMGRAPH_URL"
API_KEY_VARIABLE = "MEMGRAPH_API_KEY"


class Client(Questions):
    """Record what happens in LLM systems, and ask what led to what.

    ``base_url`` and ``api_key`` are those of ``MEMGRAPH_URL`` and ``MEMGRAPH_API_KEY`` unless
    they are given. ``timeout_s`` bounds each attempt, ``retries`` says how often a refusal that
    may pass is tried again. Threads may share a client. Close it when done, or use `with`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 10,
        retries: int = 3,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.base_url = _given(base_url, URL_VARIABLE, "base_url")
        super().__init__(
            Transport(
                self.base_url,
                _given(api_key, API_KEY_VARIABLE, "api_key"),
                timeout_s=timeout_s,
                retries=retries,
                user_agent=f"llm-memory-graph-sdk/{__version__}",
                transport=transport,
            )
        )
        self.sessions = Sessions(self._transport)
        self.prompts = Prompts(self._transport)
        self.responses = Responses(self._transport)
        self.tool_invocations = ToolInvocations(self._transport)
        self.handoffs = Handoffs(self._transport)
        self.scores = Scores(self._transport)
        self.agents = Agents(self._transport)
        self.templates = Templates(self._transport)
        self.models = Models(self._transport)
        self.context_documents = ContextDocuments(self._transport)
        self.users = Users(self._transport)
        self.tools = Tools(self._transport)
        self.events = Events(self._transport)
        self.telemetry = Telemetry(self._transport)
        self.dead_letters = DeadLetters(self._transport)
        self.api_keys = ApiKeys(self._transport)
        self.tenants = Tenants(self._transport)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"


def _given(value: str | None, variable: str, name: str) -> str:
    found = value or os.environ.get(variable, "")
    if not found:
        raise ValueError(f"{name} is needed: give it, or set {variable}")
    return found
