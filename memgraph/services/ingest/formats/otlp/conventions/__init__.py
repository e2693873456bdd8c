"""Conventions: each reads spans into the neutral form by tables of attribute readers.

A new convention is a module with a ``Convention`` and an entry in ``CONVENTIONS``.
"""

from __future__ import annotations

from memgraph.services.ingest.formats.otlp.conventions.convention import Convention
from memgraph.services.ingest.formats.otlp.conventions.genai import GENAI
from memgraph.services.ingest.formats.otlp.conventions.openinference import OPENINFERENCE
from memgraph.services.ingest.formats.otlp.conventions.openllmetry import OPENLLMETRY
from memgraph.services.ingest.formats.otlp.conventions.pydantic_ai import PYDANTIC_AI
from memgraph.services.ingest.formats.otlp.spans import Span

CONVENTIONS: tuple[Convention, ...] = (OPENINFERENCE, OPENLLMETRY, PYDANTIC_AI, GENAI)
"""In the order in which they are asked; the last takes what is left."""


def convention_of(span: Span) -> Convention:
    """The first convention whose attributes the span carries."""
    return next(c for c in CONVENTIONS if c.matches(span))


__all__ = ["CONVENTIONS", "Convention", "convention_of"]
