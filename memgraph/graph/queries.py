"""Load the `.cypher` queries, and add the tenant to every node pattern of them in one place.

A query file says nothing of tenants, placeholders or tombstones. Loading turns
``(p:Prompt {prompt_id: $id})`` into
``(p:Prompt&!Placeholder&!Tombstone {tenant_id: $tenant_id, prompt_id: $id})``, at every
anchor and every hop, and refuses a node pattern that has no label and was not bound before.

A file begins with a header of comment lines ``// name: value``: purpose,
parameters, columns, index, bound, and ``include`` when it ends like another file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE
from memgraph.graph.cypher_files import cypher_root

HEADER = ("purpose", "parameters", "columns", "index", "bound")

_HEADER_LINE = re.compile(r"^//\s*(\w+):\s*(.*)$")
_LABELLED = re.compile(r"\((\w*):([A-Z]\w*(?:\|[A-Z]\w*)*)\s*(\{|\))")
_UNLABELLED = re.compile(r"(?:-|>|\bMATCH\s|,\s*)\((\w*)\s*(?:\{[^}]*\})?\)(?=\s*(?:-|<-|\n|,|$))")
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
    folder = (root or cypher_root()) / "queries"
    files = {f"{p.parent.name}/{p.stem}": _split(p) for p in sorted(folder.glob("*/*.cypher"))}
    found = {}
    for name, (header, body) in files.items():
        text = body
        if "include" in header:
            text += "\n" + files[header["include"]][1]
        # What only ends other queries is no query: it begins with what they bind.
        if not body.startswith("WITH"):
            found[name] = Query(name, header, scope_to_tenant(name, text))
    return found


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
    bound = {m[1] for m in _LABELLED.finditer(text)} | {
        n for pair in _ALIAS.findall(text) for n in pair
    }
    for pattern in _UNLABELLED.finditer(text):
        if pattern[1] not in bound:
            raise ValueError(f"query {name}: node pattern ({pattern[1]}) has no label")

    def scoped(match: re.Match[str]) -> str:
        variable, labels, rest = match.groups()
        labels = f"({labels})" if "|" in labels else labels
        close = ", " if rest == "{" else "})"
        return f"({variable}:{labels}{_VISIBLE} {{tenant_id: $tenant_id{close}"

    return _LABELLED.sub(scoped, text)
