"""Lineage as one statement: breadth first from a root, bounded in depth, fan-out and nodes.

Which way lineage runs is what the relationship classes say (``upstream``). The
statement is generated per label, direction and depth, and says where it cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, GraphModel, NodeSpec

Direction = Literal["up", "down"]

TEXT_SHOWN = 500
"""Characters of a text that lineage carries; the node itself has all of it."""

_TENANT = "{tenant_id: $tenant_id}"
_HIDDEN = f"{PLACEHOLDER}|{TOMBSTONE}"

# Nobody said what the response had read: the results of the calls of the response
# before it to the same prompt. Both directions, so that up and down agree.
_INFERRED_UP = f"""\
      MATCH (n:Response)-[:RESPONDS_TO]->(:Prompt {_TENANT})<-[:RESPONDS_TO]-(b:Response {_TENANT})
      WHERE NOT b:{_HIDDEN} AND NOT EXISTS {{ (n)-[:INFORMED_BY]->(:ToolInvocation {_TENANT}) }}
        AND (b.created_at < n.created_at
             OR b.created_at = n.created_at AND b.response_id < n.response_id)
      WITH n, b ORDER BY b.created_at DESC, b.response_id DESC LIMIT 1
      MATCH (b)-[:INVOKES]->(m:ToolInvocation {_TENANT})
      WHERE NOT m:{_HIDDEN}
      RETURN m, {{from: elementId(n), type: 'INFORMED_BY', start: elementId(n), end: elementId(m),
                 properties: {{}}, is_inferred: true}} AS edge"""

_INFERRED_DOWN = f"""\
      MATCH (n:ToolInvocation)<-[:INVOKES]-(b:Response {_TENANT})
      WHERE NOT b:{_HIDDEN}
      CALL (b) {{
        MATCH (b)-[:RESPONDS_TO]->(:Prompt {_TENANT})<-[:RESPONDS_TO]-(m:Response {_TENANT})
        WHERE NOT m:{_HIDDEN}
          AND (b.created_at < m.created_at
               OR b.created_at = m.created_at AND b.response_id < m.response_id)
        RETURN m ORDER BY m.created_at, m.response_id LIMIT 1
      }}
      WITH n, m WHERE NOT EXISTS {{ (m)-[:INFORMED_BY]->(:ToolInvocation {_TENANT}) }}
      RETURN m, {{from: elementId(n), type: 'INFORMED_BY', start: elementId(m), end: elementId(n),
                 properties: {{}}, is_inferred: true}} AS edge"""


# Of the version that answered; when nobody said which, of the one that was valid then.
_PRICE = f"""head(COLLECT {{
       MATCH (n)-[:USES_MODEL]->(:Model {_TENANT})<-[:VERSION_OF]-(v:ModelVersion {_TENANT})
       WITH n, v, EXISTS {{ (n)-[:USES_MODEL]->(v) }} AS is_stated
       WHERE (is_stated OR v.valid_from <= n.created_at)
         AND coalesce(v.input_usd_per_1k, v.output_usd_per_1k) IS NOT NULL
       RETURN v {{.version, .input_usd_per_1k, .output_usd_per_1k, .valid_from}}
       ORDER BY is_stated DESC, v.valid_from DESC LIMIT 1 }})"""


@dataclass(frozen=True, slots=True)
class Steps:
    """Relationship types to follow out of a node and into it."""

    out: tuple[str, ...]
    into: tuple[str, ...]


def steps(model: GraphModel, direction: Direction) -> Steps:
    """The types that lead to where things came from (up) or to what came of them (down)."""
    ends = sorted(t for t, specs in model.edge_types.items() if specs[0].upstream == "end")
    starts = sorted(t for t, specs in model.edge_types.items() if specs[0].upstream == "start")
    up = Steps(out=tuple(ends), into=tuple(starts))
    return up if direction == "up" else Steps(out=up.into, into=up.out)


@lru_cache(maxsize=256)
def lineage_statement(model: GraphModel, label: str, directions: tuple[Direction, ...]) -> str:
    """One row: root, nodes, edges and where it was cut (depth, fan_out, nodes).

    Parameters: tenant_id, the key of ``label``, depth, fan_out, max_nodes.
    The levels are a fold over a range, so that one plan serves every depth.
    """
    spec = model.nodes[label]
    keys = "".join(f", {name}: ${name}" for name in spec.key)
    walks = ",\n     ".join(f"{_walk(model, d)} AS {d}" for d in directions)
    edges, nodes, cuts = (
        " + ".join(f"{d}.{part}" for d in directions) for part in ("edges", "seen", "cuts")
    )
    return f"""\
MATCH (root:{label} {{tenant_id: $tenant_id{keys}}})
WHERE NOT root:{_HIDDEN}
WITH root, {walks}
RETURN elementId(root) AS root, {edges} AS edges, {cuts} AS cuts,
     COLLECT {{ UNWIND {nodes} AS n WITH DISTINCT n RETURN {node_map(model)} }} AS nodes"""


def _walk(model: GraphModel, direction: Direction) -> str:
    """A fold over the levels; one more than asked for tells whether depth was what ended it."""
    return f"""\
reduce(walk = {{frontier: [root], seen: [root], edges: [], cuts: []}},
            level IN range(1, $depth + 1) |
  head([groups IN [COLLECT {{
    UNWIND walk.frontier AS n
    WITH n WHERE n = root OR NOT n:{_hubs(model)}
    CALL (n) {{
{neighbours(model, direction)}
      WITH m, edge LIMIT $fan_out + 1
      RETURN collect({{m: m, edge: edge}}) AS found
    }}
    RETURN {{found: found[..$fan_out], is_over: size(found) > $fan_out}}
  }}] |
  head([found IN [reduce(all = [], g IN groups | all + g.found)] |
  head([fresh IN [COLLECT {{
    UNWIND found AS one
    WITH DISTINCT one.m AS m WHERE NOT m IN walk.seen
    RETURN m
  }}] |
  head([is_over IN [any(g IN groups WHERE g.is_over)] |
  CASE WHEN level <= $depth
  THEN {{frontier: fresh[..$max_nodes - size(walk.seen)],
        seen: walk.seen + fresh[..$max_nodes - size(walk.seen)],
        edges: walk.edges + [one IN found | one.edge],
        cuts: walk.cuts + CASE WHEN is_over THEN ['fan_out'] ELSE [] END
              + CASE WHEN size(fresh) > $max_nodes - size(walk.seen) THEN ['nodes'] ELSE [] END}}
  ELSE {{frontier: [], seen: walk.seen, edges: walk.edges,
        cuts: walk.cuts + CASE WHEN is_over OR size(fresh) > 0 THEN ['depth'] ELSE [] END}}
  END])])])]))"""


def neighbours(model: GraphModel, direction: Direction) -> str:
    """Every visible ``m`` one step from ``n``, with its ``edge``."""
    follow = steps(model, direction)
    inferred = _INFERRED_UP if direction == "up" else _INFERRED_DOWN
    return f"""\
      CALL (n) {{
      MATCH (n)-[r:{"|".join(follow.out)}]->(m {_TENANT})
      WHERE NOT m:{_HIDDEN}
      RETURN m, {_edge_map()} AS edge
      UNION ALL
      MATCH (n)<-[r:{"|".join(follow.into)}]-(m {_TENANT})
      WHERE NOT m:{_HIDDEN}
      RETURN m, {_edge_map()} AS edge
      UNION ALL
{inferred}
      }}"""


def _hubs(model: GraphModel) -> str:
    return "|".join(sorted(s.label for s in model.nodes.values() if s.is_hub))


def _edge_map() -> str:
    return (
        "{from: elementId(n), type: type(r), start: elementId(startNode(r)),\n"
        "                 end: elementId(endNode(r)), properties: properties(r),\n"
        "                 is_inferred: false}"
    )


def node_map(model: GraphModel) -> str:
    """What a reader needs of a node: its identity, how to call it, and what it cost."""
    shown = sorted({name for spec in model.nodes.values() for name in _shown(spec)})
    texts = sorted(
        {
            p.name
            for spec in model.nodes.values()
            for p in spec.properties
            if p.name in ("text", "template_text")
        }
    )
    fields = [f".{name}" for name in shown if name not in texts]
    fields += [f"{name}: left(n.{name}, {TEXT_SHOWN})" for name in texts]
    return (
        "{id: elementId(n), labels: labels(n), properties: n {" + ", ".join(fields) + "},\n"
        "     session_id: CASE WHEN n:Prompt THEN head(COLLECT {\n"
        f"       MATCH (n)-[:PART_OF]->(s:Session {_TENANT}) RETURN s.session_id }}) END,\n"
        f"     price: CASE WHEN n:Response THEN {_PRICE} END}}"
    )


_DETAILS = frozenset(
    {
        "status",
        "model_id",
        "provider",
        "finish_reason",
        "error_type",
        "error",
        "role",
        "kind",
        "uri",
    }
    | {"latency_ms", "cost_usd", "total_tokens", "duration_ms", "retry_count", "value", "source"}
    | {"comment", "author", "valid_from", "message", "created_at", "text", "template_text"}
)


def _shown(spec: NodeSpec) -> set[str]:
    names = {p.name for p in spec.properties}
    return {spec.caption, *spec.key} | (_DETAILS & names)
