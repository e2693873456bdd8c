"""What a convention is: how its spans are told, and a table of readers per kind of span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from memgraph.services.ingest.formats.otlp.conventions.reading import Table
from memgraph.services.ingest.formats.otlp.neutral import Chain, Context, Fact
from memgraph.services.ingest.formats.otlp.spans import Span


@dataclass(frozen=True, slots=True)
class Convention:
    """One way of writing attributes. Told by the attributes, never by the library."""

    name: str
    matches: Callable[[Span], bool]
    kind: Callable[[Span], type[Fact]]
    tables: Mapping[type[Fact], Table]
    context: Table

    def read(self, span: Span) -> Fact:
        """Say what the span is."""
        kind = self.kind(span)
        table = self.tables.get(kind)
        if table is None:
            return Chain()
        found = {name: read(span) for name, read in table.items()}
        return kind(**{name: value for name, value in found.items() if value is not None})

    def read_context(self, span: Span) -> Context:
        """Say where the span belongs."""
        found = {name: read(span) for name, read in self.context.items()}
        return Context(**{name: value for name, value in found.items() if value is not None})
