"""What the graph of a tenant says, told as the events that OTLP is assembled to.

So the checker of recordings looks at the graph with the same eyes as at events. Texts of
documents are not in the graph; they are found by their hashes among those that were sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import orjson

from memgraph.domain import events as ev
from memgraph.domain.schema import GraphModel
from memgraph.domain.values import FinishReason
from memgraph.graph.export.pages import read_content
from memgraph.graph.export.records import EdgeRecord
from memgraph.graph.session import Graph
from memgraph.services.ingest.formats.records import Record

Properties = dict[str, Any]


def graph_records(
    graph: Graph, model: GraphModel, tenant_id: str, texts: Mapping[str, str]
) -> list[Record]:
    """The events; ``texts`` are those of documents by their SHA-256."""
    told = _Told(graph, model, tenant_id, texts)
    return [Record(event, b"", "graph") for event in told.events()]


class _Told:
    def __init__(
        self, graph: Graph, model: GraphModel, tenant_id: str, texts: Mapping[str, str]
    ) -> None:
        self._texts = texts
        self._nodes: dict[str, dict[str, Properties]] = defaultdict(dict)
        self._ends: dict[tuple[str, str], list[tuple[str, Properties]]] = defaultdict(list)
        for record in read_content(graph, model, tenant_id):
            line = orjson.loads(record.line())
            if isinstance(record, EdgeRecord):
                key = (record.type, record.start[1])
                self._ends[key].append((record.end[1], line["properties"]))
            elif not record.extra:
                [name] = model.nodes[record.label].key[:1]
                self._nodes[record.label][line["properties"][name]] = line["properties"]

    def _first(self, type_: str, start: str) -> str | None:
        return next((end for end, _ in self._ends[type_, start]), None)

    def events(self) -> Iterator[Any]:
        """Prompts first: the others have their places by them."""
        yield from (self._prompt(*node) for node in self._nodes["Prompt"].items())
        yield from (self._response(*node) for node in self._nodes["Response"].items())
        for id_, said in self._nodes["ToolInvocation"].items():
            if said["status"] != "pending":
                fields = ("tool_name", "parameters", "result", "status", "error")
                told = {name: said.get(name) for name in fields}
                yield ev.ToolEvent.model_construct(invocation_id=id_, event_id=id_, **told)
        for id_ in self._nodes["Agent"]:
            agent = SimpleNamespace(id=id_)
            yield ev.AgentEvent.model_construct(event_id=id_, agent=agent)
        for said in self._nodes["Error"].values():
            payload = SimpleNamespace(message=said.get("message"))
            yield ev.ErrorEvent.model_construct(event_id=said["error_id"], payload=payload)
        for id_, said in self._nodes["Invocation"].items():
            payload = SimpleNamespace(
                model_id=said["model_id"], token_count=said.get("token_count")
            )
            yield ev.InvocationEvent.model_construct(event_id=id_, payload=payload)
        for (type_, start), ends in self._ends.items():
            for end, said in ends if type_ == "TRANSFERS_TO" else ():
                yield ev.HandoffEvent.model_construct(
                    event_id=start,
                    response_id=start,
                    from_agent_id=said["from_agent_id"],
                    to_agent_id=end,
                )

    def _prompt(self, id_: str, said: Properties) -> Any:
        session_id = self._first("PART_OF", id_)
        assert session_id is not None
        users = [end for end, _ in self._ends["STARTED_BY", session_id]]
        assert said.get("user_id") in {None, *users}
        documents = [
            SimpleNamespace(
                id=end,
                content=self._text(end),
                relevance_score=edge.get("relevance_score"),
            )
            for end, edge in self._ends["REFERENCES", id_]
        ]
        history = [SimpleNamespace(**message) for message in said.get("history", ())]
        return ev.PromptEvent.model_construct(
            event_id=id_,
            prompt=SimpleNamespace(text=said["text"]),
            session=SimpleNamespace(id=session_id, user_id=said.get("user_id")),
            agent_id=self._first("HANDLED_BY", id_),
            context=SimpleNamespace(documents=documents, conversation_history=history),
        )

    def _text(self, document_id: str) -> str | None:
        hashed = self._nodes["ContextDocument"][document_id].get("text_sha256")
        return self._texts[hashed] if hashed else None

    def _response(self, id_: str, said: Properties) -> Any:
        asked = sorted(self._ends["INVOKES", id_], key=lambda end: end[1]["invocation_order"])
        calls = [
            SimpleNamespace(
                id=call,
                function=SimpleNamespace(
                    name=self._nodes["ToolInvocation"][call]["tool_name"],
                    arguments=self._nodes["ToolInvocation"][call].get("parameters"),
                ),
            )
            for call, _ in asked
        ]
        reason = said.get("finish_reason")
        counts = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens")
        has_error = any(name.startswith("error_") for name in said)
        return ev.ResponseEvent.model_construct(
            event_id=id_,
            prompt_event_id=self._first("RESPONDS_TO", id_),
            response=SimpleNamespace(
                text=said.get("text"),
                tool_calls=calls,
                finish_reason=FinishReason(reason) if reason else None,
                metadata=said.get("metadata"),
            ),
            usage=SimpleNamespace(**{name: said.get(name) for name in counts})
            if "total_tokens" in said
            else None,
            error=SimpleNamespace(message=said.get("error_message")) if has_error else None,
        )
