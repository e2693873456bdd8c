"""Retrieved documents in every shape that libraries send them."""

from __future__ import annotations

from typing import Any

from memgraph.services.ingest.formats.otlp.conventions.reading import (
    as_mapping,
    as_number,
    as_text,
    decoded,
    first,
)
from memgraph.services.ingest.formats.otlp.neutral import Document

_CONTENTS = ("content", "page_content", "text", "document")
_SCORES = ("score", "relevance_score")
_INNER = ("document", "node", "kwargs", "data")
_LISTS = ("documents", "outputs", "output", "results", "matches", "nodes")


def read_documents(found: Any) -> tuple[Document, ...]:
    """Read a list of documents, or the object that holds one; () when there is none."""
    found = decoded(found)
    if isinstance(found, dict):
        found = first(decoded(found.get(name)) for name in _LISTS)
        if isinstance(found, dict):
            return read_documents(found)
    if not isinstance(found, list):
        return ()
    return tuple(d for item in found if (d := read_document(item)) is not None)


def read_document(item: Any) -> Document | None:
    """Read one document; None when it has neither a text nor an id."""
    item = decoded(item)
    if isinstance(item, str):
        return Document(content=item) if item else None
    if not isinstance(item, dict):
        return None
    inner: dict[str, Any] = next((item[n] for n in _INNER if isinstance(item.get(n), dict)), {})
    # LangChain's dumps have a path of classes as their id, which names no document.
    said = inner if "lc" in item else {**inner, **item}
    metadata = as_mapping(said.get("metadata")) or {}
    content = first(as_text(said.get(name)) for name in _CONTENTS)
    identity = first(as_text(said.get(n)) for n in ("id", "id_", "document_id", "doc_id"))
    if content is None and identity is None:
        return None
    scores = (as_number(where.get(n)) for where in (item, said, metadata) for n in _SCORES)
    return Document(
        content=content,
        id=identity,
        score=first(scores),
        metadata=metadata or None,
        title=first((as_text(said.get("title")), as_text(metadata.get("title")))),
        uri=first(as_text(metadata.get(n)) for n in ("uri", "url", "source")),
    )


def completed(documents: tuple[Document, ...], others: tuple[Document, ...]) -> tuple[Any, ...]:
    """Fill in what the same documents, told a second time in the same order, say besides."""
    if not documents or len(documents) != len(others):
        return documents or others
    if any(a.content != b.content for a, b in zip(documents, others, strict=True)):
        return documents
    return tuple(_filled(a, b) for a, b in zip(documents, others, strict=True))


def _filled(one: Document, other: Document) -> Document:
    return Document(
        content=one.content,
        id=one.id or other.id,
        score=one.score if one.score is not None else other.score,
        metadata=one.metadata or other.metadata,
        title=one.title or other.title,
        uri=one.uri or other.uri,
    )
