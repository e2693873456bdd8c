"""What a person sees: threads, trees, tables. Content is printed as text, never as markup."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from memgraph.domain.schema import GraphModel
from memgraph.local import StackState
from memgraph.services import lineage as shapes

Row = dict[str, Any]

SHOWN_CHARS = 160
"""Of a message in a thread."""
CAPTION_CHARS = 70


_JOINERS = "\u200c\u200d"
"""Not printable by Unicode, but part of words and of emoji."""


def _line(text: object, limit: int = SHOWN_CHARS) -> str:
    """The text on one line, shortened, without control characters.

    Everything that a sender chose goes through here, keys and names included: the
    terminal must not obey it.
    """
    whole = "" if text is None else str(text)
    looked_at = whole[: 8 * limit]  # a text may be a million characters long
    flat = " ".join(looked_at.split())
    flat = "".join(c if c.isprintable() or c in _JOINERS else "?" for c in flat)
    is_whole = len(flat) <= limit and len(looked_at) == len(whole)
    return flat if is_whole else flat[: limit - 1] + "…"


def _at(value: datetime | str | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value or "")


def _usd(value: float | None) -> str:
    return "" if value is None else f"${value:.4f}"


def _scores(scores: list[Row]) -> str:
    return "  ".join(f"★ {_line(s['name'], CAPTION_CHARS)} {s['value']:g}" for s in scores)


def addresses(stack: StackState, *, password: bool = False) -> RenderableType:
    """Where the servers of a stack are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    if stack.rest and stack.docs:
        table.add_row("REST", stack.rest)
        table.add_row("Docs", stack.docs)
    if stack.browser:
        table.add_row("Neo4j Browser", stack.browser)
    if stack.bolt:
        table.add_row("Bolt", stack.bolt)
        secret = stack.neo4j_password or ""
        where = str(stack.data_dir / "neo4j" / "password")
        table.add_row("User", stack.neo4j_user or "")
        table.add_row("Password", secret if password else f"in {where}")
    if stack.kafka:
        table.add_row("Kafka", stack.kafka)
        if stack.rest:
            table.add_row("Kafka consumer", _consumer(stack))
    if embedder := stack.pids.get("embedder"):
        table.add_row("Embeddings", f"made by process {embedder}")
    table.add_row("Data", str(stack.data_dir))
    return table


def _consumer(stack: StackState) -> str:
    pid = stack.pids.get("consumer")
    if pid is None:
        return f"ended; {stack.data_dir / 'consumer' / 'consumer.log'} says why"
    return f"reads, process {pid}"


def totals(counted: dict[str, int]) -> str:
    """The sum of an ingestion in one line."""
    names = ("received", "stored", "duplicate", "rejected", "dead_lettered")
    return ", ".join(f"{counted[n]:,} {n.replace('_', '-')}" for n in names)


def counts(counted: dict[str, dict[str, int]]) -> RenderableType:
    """Nodes and relationships side by side."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Nodes")
    table.add_column("", justify="right")
    table.add_column("Relationships")
    table.add_column("", justify="right")
    nodes = list(counted["nodes"].items())
    edges = list(counted["relationships"].items())
    for i in range(max(len(nodes), len(edges))):
        left = (nodes[i][0], f"{nodes[i][1]:,}") if i < len(nodes) else ("", "")
        right = (edges[i][0], f"{edges[i][1]:,}") if i < len(edges) else ("", "")
        table.add_row(*left, *right)
    return table


def thread(found: Row) -> RenderableType:
    """A conversation: prompts in order, what they follow when that is no plain sequence."""
    session = found["session"]
    title = Text(_line(session.get("title") or session["session_id"]), style="bold")
    facts = [_line(f) for f in (session["session_id"], *found["users"], *found["applications"])]
    # Open until somebody says that it is closed.
    facts.append("closed" if session.get("is_active") is False else "open")
    head = Text.assemble(title, "  ", ("  ".join(facts), "dim"))
    tree = Tree(head)
    if found["scores"]:
        tree.add(Text(_scores(found["scores"]), style="yellow"))
    before: str | None = None
    for prompt in found["prompts"]:
        _prompt(tree, prompt, before)
        before = prompt["prompt_id"]
    if found["is_cut"]:
        tree.add(Text("… more prompts: raise --limit", style="dim"))
    return Group(tree, Text(_thread_sum(found), style="dim"))


def _prompt(tree: Tree, prompt: Row, before: str | None) -> None:
    label = Text.assemble(
        (_line(prompt["prompt_id"]), "bold cyan"), ("  " + _at(prompt["created_at"]), "dim")
    )
    follows = prompt["follows"]
    if follows and follows["prompt_id"] != before:
        label.append(f"  ⑂ follows {_line(follows['prompt_id'])}", style="magenta")
    if prompt["agent"]:
        label.append(f"  → {_line(prompt['agent'])}", style="green")
    if prompt["template"]:
        used = prompt["template"]
        label.append(f"  ⟨{_line(_version(used))}⟩", style="blue")
    branch = tree.add(label)
    branch.add(Text(_line(prompt["text"] or prompt["content_ref"])))
    for document in prompt["documents"]:
        relevance = document["relevance_score"]
        shown = f"▤ {_line(document['title'] or document['context_id'])}"
        branch.add(
            Text(shown + (f"  {relevance:.2f}" if relevance is not None else ""), style="dim")
        )
    if prompt["scores"]:
        branch.add(Text(_scores(prompt["scores"]), style="yellow"))
    for response in prompt["responses"]:
        _response(branch, response)


def _response(branch: Tree, response: Row) -> None:
    facts = [_line(response["model_id"]), _usd(response["cost_usd"])]
    if response["latency_ms"] is not None:
        facts.append(f"{response['latency_ms']} ms")
    if response["total_tokens"] is not None:
        facts.append(f"{response['total_tokens']} tokens")
    label = Text.assemble(
        (_line(response["response_id"]), "cyan"), ("  " + "  ".join(f for f in facts if f), "dim")
    )
    child = branch.add(label)
    if response["text"] or response["content_ref"]:
        child.add(Text(_line(response["text"] or response["content_ref"])))
    if response["error_type"]:
        message = _line(response["error_message"])
        child.add(Text(f"✗ {_line(response['error_type'])}: {message}", style="red"))
    for tool in response["tools"]:
        child.add(_tool(tool))
    for handoff in response["handoffs"]:
        to = _line(handoff["name"] or handoff["agent_id"])
        reason = _line(handoff["handoff_reason"])
        urgency = f" ({handoff['priority']})" if handoff["priority"] else ""
        child.add(Text(f"⇒ handed to {to}{urgency}: {reason}", style="magenta"))
    if response["scores"]:
        child.add(Text(_scores(response["scores"]), style="yellow"))


def _tool(tool: Row) -> Text:
    failed = tool["status"] == "failed"
    mark = "✗" if failed else "✓" if tool["status"] == "success" else "…"
    text = f"{mark} {_line(tool['tool_name'] or tool['invocation_id'], CAPTION_CHARS)}"
    if tool["retry_count"]:
        text += f"  {tool['retry_count']} retries"
    if tool["duration_ms"] is not None:
        text += f"  {tool['duration_ms']} ms"
    if failed and tool["error"]:
        text += f"  {_line(tool['error'], CAPTION_CHARS)}"
    return Text(text, style="red" if failed else "green")


def _thread_sum(found: Row) -> str:
    responses = [r for p in found["prompts"] for r in p["responses"]]
    tools = [t for r in responses for t in r["tools"]]
    cost = sum(r["cost_usd"] or 0 for r in responses)
    tokens = sum(r["total_tokens"] or 0 for r in responses)
    return (
        f"{len(found['prompts'])} prompts, {len(responses)} responses, {len(tools)} tool calls, "
        f"{tokens:,} tokens, {_usd(cost)}"
    )


def lineage(found: Row, model: GraphModel) -> RenderableType:
    """A lineage as a tree; arrows show which way each edge runs."""
    root = shapes.tree_of(found)
    tree = Tree(_node(root.node, model))
    _branches(tree, root, model)
    facts = f"{len(found['nodes'])} nodes, {len(found['edges'])} edges"
    if found["cuts"]:
        facts += f"; cut by {', '.join(found['cuts'])}: there is more"
    return Group(tree, Text(facts, style="dim"))


def _branches(tree: Tree, branch: shapes.Branch, model: GraphModel) -> None:
    for child in branch.children:
        if child.is_repeat and model.nodes[shapes.label_of(child.node, model)].is_hub:
            continue  # every branch ends at its model and agent: once is enough
        edge = child.edge or {}
        arrow = "→" if child.is_forward else "←"
        label = Text.assemble(
            (f"{edge['type']} {arrow} ", "dim"), _node(child.node, model, short=child.is_repeat)
        )
        notes = _edge_notes(edge)
        if notes:
            label.append("  " + notes, style="dim")
        if child.is_repeat:
            label.append("  (shown elsewhere)", style="dim")
        _branches(tree.add(label), child, model)


def _edge_notes(edge: Row) -> str:
    properties = edge["properties"]
    notes = []
    if edge["is_inferred"]:
        notes.append("inferred")
    if properties.get("relevance_score") is not None:
        notes.append(f"relevance {properties['relevance_score']:.2f}")
    if properties.get("handoff_reason"):
        notes.append(_line(properties["handoff_reason"], CAPTION_CHARS))
    return ", ".join(notes)


def _node(node: Row, model: GraphModel, *, short: bool = False) -> Text:
    label = shapes.label_of(node, model)
    properties = node["properties"]
    text = Text.assemble((label, "bold"), " ", (_line(shapes.key_of(node, model)), "cyan"))
    if short:
        return text
    caption = shapes.caption_of(node, model)
    if caption:
        text.append(f"  “{_line(caption, CAPTION_CHARS)}”")
    named = [properties[name] for name in ("status", "role", "kind") if name in properties]
    notes = [_line(value, CAPTION_CHARS) for value in named]
    if properties.get("error"):
        notes.append(_line(properties["error"], CAPTION_CHARS))
    if "value" in properties:
        notes.append(f"{properties['value']:g}")
    if properties.get("cost_usd") is not None:
        notes.append(_usd(properties["cost_usd"]))
    price = node.get("price")
    if price:
        prices = ((price[f"{way}put_usd_per_1k"], way) for way in ("in", "out"))
        told = ", ".join(f"${usd:g} {way}" for usd, way in prices if usd is not None)
        notes.append(f"price then {told} per 1k ({_line(price['version'], CAPTION_CHARS)})")
    if node.get("session_id"):
        notes.append(f"in {_line(node['session_id'])}")
    if notes:
        text.append("  " + "  ".join(notes), style="dim")
    return text


def impact(kind: str, id_: str, found: Row) -> RenderableType:
    """What depends on something, as facts and three tables."""
    related = found["related"]
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_row(
        "prompts", f"{found['prompts']:,}" + ("  (cut: there are more)" if found["is_cut"] else "")
    )
    facts.add_row("sessions", f"{found['sessions']:,}, {found['live_sessions']:,} open")
    facts.add_row("responses", f"{found['responses']:,}, {found['errors']:,} with an error")
    facts.add_row("cost", _usd(found["cost_usd"]))
    facts.add_row("used", f"{_at(found['first_used_at'])} to {_at(found['last_used_at'])}")
    for name in ("versions", "children"):
        values = [_line(_version(v)) for v in related.get(name) or ()]
        if values:
            facts.add_row(name, Text(", ".join(values)))
    if "failed" in related:
        counted = (f"{related[n]:,} {n}" for n in ("invocations", "failed", "retries"))
        facts.add_row("calls", ", ".join(counted))
    parts: list[RenderableType] = [Text(f"{kind} {_line(id_)}", style="bold"), facts]
    parts.append(_table("scores", found["scores"], ("name", "count", "average", "lowest")))
    parts.append(_table("agents", found["agents"], ("agent_id", "name", "prompts")))
    parts.append(
        _table(
            "sessions", found["top_sessions"], ("session_id", "title", "prompts", "last_used_at")
        )
    )
    return Group(*parts)


def api_keys(keys: list[Row]) -> RenderableType:
    """API keys with what they may do and how long."""
    columns = ("key_id", "name", "roles", "scopes", "created_at", "expires_at", "revoked_at")
    return _table("API keys", keys, columns)


def dead_letters(found: list[Row]) -> RenderableType:
    """Dead letters: where they came from and why."""
    columns = ("dead_letter_id", "source", "reason", "stage", "attempts", "created_at")
    return _table("Dead letters", found, columns)


def sources(found: list[Row]) -> RenderableType:
    """What became of the events of each source."""
    figures = ("received", "stored", "duplicate", "rejected", "dead_lettered")
    return _table("Sources", found, ("source", *figures))


def tenants(found: list[Row]) -> RenderableType:
    """Tenants by id."""
    rows = [{**row, "limits": _limits(row["limits"])} for row in found]
    return _table("Tenants", rows, ("tenant_id", "name", "created_at", "limits", "pii_policy"))


def jobs(found: list[Row]) -> RenderableType:
    """Jobs with when and what for."""
    return _table("Jobs", found, ("name", "schedule", "purpose"))


def _limits(limits: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(limits.items()))


def hits(found: list[Row], model: GraphModel) -> RenderableType:
    """What a search found: kind, id, time, and the beginning of the text."""
    captions = {spec.snake: spec.caption for spec in model.nodes.values()}
    table = Table(box=None, show_header=False, pad_edge=False)
    for hit in found:
        node = hit["node"]
        table.add_row(
            Text(hit["kind"], style="bold"),
            Text(_line(hit["id"]), style="cyan"),
            Text(_at(node["created_at"]), style="dim"),
            Text(_line(node.get(captions[hit["kind"]]))),
        )
    return Group(table, Text(f"{len(found)} found", style="dim"))


def _version(value: Row | str) -> str:
    if isinstance(value, str):
        return value
    return "@".join(str(value[n]) for n in ("template_id", "version") if n in value)


def _table(title: str, rows: list[Row], columns: tuple[str, ...]) -> RenderableType:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in columns:
        # A key id is short and there to be copied.
        table.add_column(name.replace("_", " "), no_wrap=name == "key_id")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list):
        return _line(", ".join(map(str, value)))
    return _at(value) if isinstance(value, datetime) else _line(value)
