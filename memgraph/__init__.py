"""memgraph: the memory and lineage graph for LLM systems.

In a notebook or shell::

    import memgraph
    from memgraph.domain.nodes import Prompt

    memgraph.connect()
    Prompt.nodes.filter(model_id="gpt-4o").order_by("created_at")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__version__ = "0.1.0"

__all__ = ["__version__", "connect"]


def connect(uri: str | None = None, *, data_dir: str | Path | None = None) -> None:
    """Point the neomodel classes of ``memgraph.domain.nodes`` at a server.

    Without arguments the settings decide: the configured server, else the local
    stack. ``uri`` names a server with user and password
    (``bolt://user:password@host:7687``), ``data_dir`` a local stack. Raises
    StackError when there is none.
    """
    from memgraph.notebook import connect_neomodel

    connect_neomodel(uri, data_dir)
