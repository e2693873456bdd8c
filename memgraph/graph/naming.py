"""Names of statements for metrics and traces: few, stable, and without any value."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NewType

from memgraph.graph.queries import load_queries

StatementName = NewType("StatementName", str)

_ACTIONS = ("MERGE", "CREATE", "DELETE", "SET", "SHOW", "MATCH", "CALL", "RETURN")
"""The first of these that a statement holds says what it does."""
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_WORD = re.compile(r"\b[A-Z]{3,}\b")
_LABEL = re.compile(r"\(\w*:\(?(\w+)")
_TYPE = re.compile(r"\[\w*:(\w+)")


@lru_cache(maxsize=4_096)
def name_of(statement: str) -> StatementName:
    """The query file of a statement, else its action with the first label and the type written."""
    return StatementName(_files().get(statement) or _summary(statement))


@cache
def _files() -> dict[str, str]:
    return {query.text: name for name, query in load_queries().items()}


def _summary(statement: str) -> str:
    text = _QUOTED.sub("", statement)
    words = set(_WORD.findall(text))
    action = next((a for a in _ACTIONS if a in words), "OTHER")
    label = _LABEL.search(text)
    type_ = _TYPE.search(text) if action == "MERGE" else None
    return " ".join([action, *(found[1] for found in (label, type_) if found)])
