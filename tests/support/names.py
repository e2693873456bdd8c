"""Names of people for tests: real pipelines of spaCy made of a list of names, and a fake."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import spacy

from memgraph.domain.pii.names import Span

NAMES = ("Maria Keller", "Zoë Ångström", "王小明")


class KnownNames:
    """Finds the names that it was told of."""

    def __init__(self, names: Iterable[str] = NAMES) -> None:
        self._names = tuple(names)

    def find(self, text: str) -> list[Span]:
        found = []
        for name in self._names:
            start = text.find(name)
            while start >= 0:
                found.append((start, start + len(name)))
                start = text.find(name, start + len(name))
        return sorted(found)


def make_pipeline(folder: Path, label: str = "PERSON", names: Iterable[str] = NAMES) -> Path:
    """Save a pipeline that gives the label to what it knows by heart."""
    pipeline = spacy.blank("xx")
    ruler: Any = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": name} for name in names])
    ruler.add_patterns([{"label": "GPE", "pattern": "Lyon"}])
    pipeline.to_disk(folder)
    return folder


def make_package(folder: Path, name: str) -> str:
    """The same as a package that can be imported from ``folder``, the way they are published."""
    package = folder / name
    package.mkdir()
    # The folder has the language, name and version that the pipeline says of itself.
    data = make_pipeline(package / "xx_pipeline-0.0.0")
    (package / "meta.json").write_bytes((data / "meta.json").read_bytes())
    (package / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n\n\n"
        "def load(**options):\n"
        "    return load_model_from_init_py(__file__, **options)\n"
    )
    return name
