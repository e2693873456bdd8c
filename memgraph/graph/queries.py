"""Load the `.cypher` queries, and add the tenant to every node pattern of them in one place.

A query file says nothing of tenants, placeholders or tombstones. Loading turns
``(p:Prompt {prompt_id: $id})`` into
``(p:Prompt&!Placeholder&!Tombstone {tenant_id: $tenant_id, prompt_id: $id})``, at every
anchor and every hop, and refuses what it cannot do that to: a node that has no label
and was not bound before, any other form of a node, and ``[:TYPE*]``, which passes nodes
without a pattern; write ``ANY SHORTEST (a) ((:Label)-[:TYPE]->(:Label))* (b:Label)``. Not
``{0,32}``: with a bound the server enumerates trails, which takes for ever where they cross.

A file begins with a header of comment lines ``// name: value``: purpose,
parameters, columns, index, bound, and ``include`` when it ends like another file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE
from memgraph.graph.cypher_files import cypher_root

HEADER = ("purpose", "parameters", "columns", "index", "bound")

_HEADER_LINE = re.compile(r"^//\s*(\w+):\s*(.*)$")
_LITERAL = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|//[^\n]*|/\*.*?\*/""", re.S)
_NODE = re.compile(r"(\w*)(?::([A-Z]\w*(?:\|[A-Z]\w*)*))?\s*(\{.*\})?", re.S)
_LIKE_A_NODE = re.compile(r"\w*\s*(?:[:{]|WHERE\b|IS\s+(?!NOT\b|NULL\b))|\w+\s+\$")
_ARROW_BEFORE = re.compile(r"(?:--|\]-)>?\s*\Z")
_ARROW_AFTER = re.compile(r"\s*<?(?:--|-\[)")
_CALL = re.compile(r"\bCALL\s*\Z|\w\Z(?<!\bMATCH)(?<!\bMERGE)(?<!\bCREATE)")
_UNSEEN_NODES = re.compile(r"-\[[^\]]*\*|(?:--|\]-)>?\s*[*+{]")
_ALIAS = re.compile(r"\bAS (\w+)|\b(\w+) IN\b")
_VISIBLE = f"&!{PLACEHOLDER}&!{TOMBSTONE}"


@dataclass(frozen=True, slots=True)
class Query:
    """A named read with what its header says; ``text`` is scoped to ``$tenant_id``."""

    name: str
    header: dict[str, str]
    text: str


@cache
def load_queries(root: Path | None = None) -> dict[str, Query]:
    """Every query below ``cypher/queries`` by ``area/verb_noun``. Raises ValueError."""
    files = read_files(root or cypher_root())
    found = {}
    for name, (header, body) in files.items():
        text = body
        if "include" in header:
            text += "\n" + files[header["include"]][1]
        # What only ends other queries is no query: it begins with what they bind.
        if not body.startswith("WITH"):
            found[name] = Query(name, header, scope_to_tenant(name, text))
    return found


def read_files(root: Path) -> dict[str, tuple[dict[str, str], str]]:
    """Header and body of every file by ``area/verb_noun``, shared endings included."""
    files = sorted((root / "queries").glob("*/*.cypher"))
    return {f"{path.parent.name}/{path.stem}": _split(path) for path in files}


def query(name: str) -> str:
    """The text of a query, ready to run."""
    return load_queries()[name].text


def _split(path: Path) -> tuple[dict[str, str], str]:
    header: dict[str, str] = {}
    body = []
    for line in path.read_text().splitlines():
        match = _HEADER_LINE.match(line)
        if match and match[1] in (*HEADER, "include"):
            header[match[1]] = match[2]
        else:
            body.append(line)
    missing = [field for field in HEADER if not header.get(field)]
    if missing:
        raise ValueError(f"query {path.name}: header lacks {', '.join(missing)}")
    return header, "\n".join(body).strip()


def scope_to_tenant(name: str, text: str) -> str:
    """Add the tenant and the visibility labels to every node pattern. Raises ValueError."""
    # Same length, so that places in one are places in the other.
    masked = _LITERAL.sub(lambda m: " " * len(m[0]), text)
    if _UNSEEN_NODES.search(masked):
        raise ValueError(f"query {name}: a path of variable length has nodes without a pattern")
    patterns = list(_node_patterns(name, masked))
    bound = {m[1] for m in patterns if m[2]} | {n for pair in _ALIAS.findall(masked) for n in pair}
    parts, at = [], 0
    for match in sorted(patterns, key=lambda m: m.start()):
        variable, labels, properties = match.groups()
        if not labels:
            if not variable or variable not in bound:
                raise ValueError(f"query {name}: node pattern ({variable}) has no label")
            continue
        labels = f"({labels})" if "|" in labels else labels
        parts += [
            text[at : match.start()],
            f"{variable}:{labels}{_VISIBLE} {{tenant_id: $tenant_id",
        ]
        at = match.start(3) + 1 if properties else match.end()
        parts.append(", " if properties else "}")
    return "".join([*parts, text[at:]])


def _node_patterns(name: str, masked: str) -> Iterator[re.Match[str]]:
    """Find the inside of every node pattern: what is in parentheses and no call or expression."""
    opened: list[int] = []
    for place, character in enumerate(masked):
        if character == "(":
            opened.append(place)
        elif character == ")" and opened:
            start = opened.pop()
            before = masked[:start]
            if _CALL.search(before):
                continue
            if match := _NODE.fullmatch(masked, start + 1, place):
                yield match
            elif (
                _LIKE_A_NODE.match(masked, start + 1, place)
                or _ARROW_BEFORE.search(before)
                or _ARROW_AFTER.match(masked, place + 1)
            ):
                raise ValueError(f"query {name}: cannot scope ({masked[start + 1 : place]})")
