"""The one reader: every question is one statement and one round trip. Tenant first, always."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from memgraph.domain.errors import InvalidInput, NotFound, shown
from memgraph.domain.schema import EdgeSpec, GraphModel
from memgraph.domain.times import BiTemporal
from memgraph.graph.counts import Counts, read_counts
from memgraph.graph.kinds import find_spec, parse_key
from memgraph.graph.nodes import public
from memgraph.graph.plan import decode
from memgraph.graph.queries import query
from memgraph.graph.session import Graph, Row
from memgraph.graph.traversal import Direction, lineage_statement

IMPACT_KINDS = ("template", "model", "document", "tool")


class Reader:
    """Answer questions about one graph. Threads may share it."""

    def __init__(self, graph: Graph, model: GraphModel) -> None:
        self._graph = graph
        self._model = model

    def get_thread(self, tenant_id: str, session_id: str, *, limit: int = 1_000) -> Row:
        """The conversation of a session: session, users, applications, scores, prompts.

        ``is_cut`` says that there are more than ``limit`` prompts. Raises NotFound.
        """
        rows = self._graph.read(
            query("sessions/read_thread"), tenant_id=tenant_id, session_id=session_id, limit=limit
        )
        if not rows:
            raise _not_found("session", session_id)
        thread = rows[0]
        thread["is_cut"] = len(thread["prompts"]) > limit
        thread["prompts"] = thread["prompts"][:limit]
        thread["session"] = decode(self._model.nodes["Session"], thread["session"])
        tools = self._model.nodes["ToolInvocation"]
        for prompt in thread["prompts"]:
            for response in prompt["responses"]:
                response["tools"] = [decode(tools, t) for t in response["tools"]]
        return thread

    def get_lineage(
        self,
        tenant_id: str,
        kind: str,
        id_: str,
        *,
        directions: tuple[Direction, ...] = ("up",),
        depth: int = 6,
        fan_out: int = 50,
        max_nodes: int = 1_000,
    ) -> Row:
        """Where a node came from (up), what came of it (down): root, nodes, edges, cuts.

        Each direction has the bounds to itself. ``cuts`` names those that kept something
        out: depth, fan_out, nodes. Raises NotFound.
        """
        spec = find_spec(self._model, kind)
        key = dict(zip(spec.key, parse_key(spec, id_), strict=True))
        rows = self._graph.read(
            lineage_statement(self._model, spec.label, directions),
            tenant_id=tenant_id,
            depth=depth,
            fan_out=fan_out,
            max_nodes=max_nodes,
            **key,
        )
        if not rows:
            raise _not_found(kind, id_)
        return self._tidy(rows[0])

    def get_impact(self, tenant_id: str, kind: str, id_: str, *, limit: int = 10_000) -> Row:
        """What depends on a template, model (``ID`` or ``ID@VERSION``), document or tool.

        ``is_cut`` says that there are more than ``limit`` prompts. Raises NotFound.
        """
        if kind not in IMPACT_KINDS:
            raise InvalidInput("kind", "must be one of " + ", ".join(IMPACT_KINDS))
        for head, version in _versions(kind, id_):
            rows = self._graph.read(
                query(f"impact/read_{kind}"),
                tenant_id=tenant_id,
                id=head,
                version=version,
                limit=limit,
            )
            if rows:
                return rows[0]
        raise _not_found(kind, id_)

    def list_tool_failures(
        self, tenant_id: str, tool_name: str | None = None, *, limit: int = 100_000
    ) -> list[Row]:
        """Per tool: calls, failures, retries, duration, and the failed tools before it."""
        return self._graph.read(
            query("tools/read_failures"), tenant_id=tenant_id, tool_name=tool_name, limit=limit
        )

    def get_error_path(self, tenant_id: str, error_id: str) -> list[Row]:
        """The shortest causal path from an error to where it began. Raises NotFound.

        When that is farther away than the statement looks, or in a cycle, the path
        ends at the farthest error.
        """
        rows = self._graph.read(
            query("tools/read_error_path"), tenant_id=tenant_id, error_id=error_id
        )
        if not rows:
            raise _not_found("error", error_id)
        return _path(rows[0]["errors"])

    def list_agent_network(self, tenant_id: str, *, limit: int = 100_000) -> list[Row]:
        """Pairs of agents by handoffs, most first; ``is_returned`` marks loops of two."""
        return self._graph.read(query("agents/read_network"), tenant_id=tenant_id, limit=limit)

    def list_genealogy(self, tenant_id: str, template_id: str, *, limit: int = 10_000) -> list[Row]:
        """The versions of a template with parents, children, use, cost and scores."""
        rows = self._graph.read(
            query("templates/read_genealogy"),
            tenant_id=tenant_id,
            template_id=template_id,
            limit=limit,
        )
        if not rows:
            raise _not_found("template", template_id)
        return rows

    def list_template_versions(
        self, tenant_id: str, template_id: str, *, limit: int = 10_000
    ) -> list[Row]:
        """The versions of a template in the order in which they were registered."""
        rows = self._graph.read(
            query("templates/list_versions"),
            tenant_id=tenant_id,
            template_id=template_id,
            limit=limit,
        )
        return [decode(self._model.nodes["PromptTemplate"], row) for row in rows]

    def list_template_texts(self, tenant_id: str, *, limit: int = 2_000) -> list[Row]:
        """``template_id``, ``version`` and ``template_text`` of all templates, newest first."""
        return self._graph.read(query("templates/list_texts"), tenant_id=tenant_id, limit=limit)

    def list_sources(self, tenant_id: str, *, limit: int = 1_000) -> list[Row]:
        """Doors and files with what became of their events, latest first, and dead letters kept."""
        return self._graph.read(query("ingest/list_sources"), tenant_id=tenant_id, limit=limit)

    def list_template_line(self, tenant_id: str, template_id: str, version: str) -> list[Row]:
        """A template version and what it inherits from, nearest first, with ``parent`` keys."""
        rows = self._graph.read(
            query("templates/read_line"),
            tenant_id=tenant_id,
            template_id=template_id,
            version=version,
        )
        return [decode(self._model.nodes["PromptTemplate"], row) for row in rows]

    def list_model_versions(
        self, tenant_id: str, model_id: str, *, limit: int = 10_000
    ) -> list[Row]:
        """The versions of a model with their prices, latest ``valid_from`` first."""
        rows = self._graph.read(
            query("models/list_versions"), tenant_id=tenant_id, model_id=model_id, limit=limit
        )
        spec = self._model.nodes["ModelVersion"]
        return [public(spec, row["model_version"]) for row in rows]

    def list_model_prices(
        self, tenant_id: str, model_id: str, recorded_as_of: datetime, *, limit: int = 10_000
    ) -> list[Row]:
        """What events said of prices, with their ``version``, recorded by then, newest first."""
        rows = self._graph.read(
            query("models/list_prices"),
            tenant_id=tenant_id,
            model_id=model_id,
            recorded_as_of=recorded_as_of,
            limit=limit,
        )
        spec = self._model.nodes["ModelPrice"]
        return [{"version": row["version"], **public(spec, row["price"])} for row in rows]

    def get_agent_metrics(self, tenant_id: str, agent_id: str, *, limit: int = 100_000) -> Row:
        """What an agent did, over at most ``limit`` prompts (``is_cut``). Raises NotFound."""
        rows = self._graph.read(
            query("agents/read_metrics"), tenant_id=tenant_id, agent_id=agent_id, limit=limit
        )
        if not rows:
            raise _not_found("agent", agent_id)
        return rows[0]

    def list_agent_configurations(
        self, tenant_id: str, agent_id: str, at: BiTemporal, *, limit: int = 10_000
    ) -> list[Row]:
        """What events said of an agent's configuration, as known ``at``, the newest first."""
        rows = self._graph.read(
            query("agents/list_configurations"),
            tenant_id=tenant_id,
            agent_id=agent_id,
            as_of=at.valid,
            recorded_as_of=at.recorded,
            limit=limit,
        )
        spec = self._model.nodes["AgentConfiguration"]
        return [public(spec, row["configuration"]) for row in rows]

    def get_session_summary(self, tenant_id: str, session_id: str) -> Row:
        """Counts, tokens, cost and duration of a session. Raises NotFound."""
        rows = self._graph.read(
            query("sessions/read_summary"), tenant_id=tenant_id, session_id=session_id
        )
        if not rows:
            raise _not_found("session", session_id)
        return rows[0]

    def _tidy(self, lineage: Row) -> Row:
        """Keep edges between nodes that are there, once each, and say each cut once."""
        ids = {node["id"] for node in lineage["nodes"]}
        edges: dict[Any, Row] = {}
        for edge in lineage["edges"]:
            if edge["start"] in ids and edge["end"] in ids:
                spec = self._model.edge_types[edge["type"]][0]
                shown = {n: v for n, v in edge["properties"].items() if not _is_internal(spec, n)}
                edge["properties"] = decode(spec, shown)
                edges[(edge["start"], edge["type"], edge["end"])] = edge
        for node in lineage["nodes"]:
            node["properties"] = {n: v for n, v in node["properties"].items() if v is not None}
        return {**lineage, "edges": list(edges.values()), "cuts": sorted(set(lineage["cuts"]))}

    def count(self, tenant_id: str) -> Counts:
        """Nodes by label and relationships by type; placeholders and tombstones do not count."""
        return read_counts(self._graph, self._model, tenant_id)


def _path(errors: list[Row]) -> list[Row]:
    """From the first of ``errors``, which come by distance, to the farthest."""
    # The nearest of a name, so that each step is nearer than the one before.
    by_id = {error["error_id"]: error for error in reversed(errors)}
    last: Row | None = errors[-1]
    path = []
    while last is not None:
        path.append({n: v for n, v in last.items() if n != "to"})
        last = by_id.get(last["to"])
    return path[::-1]


def _not_found(kind: str, id_: str) -> NotFound:
    return NotFound(f"no {kind} {shown(id_)} in this tenant", kind=kind, id=shown(id_))


def _versions(kind: str, id_: str) -> Iterator[tuple[str, str | None]]:
    """What ``id_`` may stand for: a version, else all; some providers put ``@`` into names."""
    head, _, version = id_.rpartition("@")
    if kind in ("template", "model") and head and version:
        yield head, version
    yield id_, None


def _is_internal(spec: EdgeSpec, name: str) -> bool:
    declared = spec.by_name.get(name)
    return declared is not None and declared.internal
