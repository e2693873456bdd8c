"""Connect the neomodel classes for people who explore: notebooks, shells, scripts."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import neomodel
from pydantic import SecretStr

from memgraph.endpoints import server_settings
from memgraph.graph.driver import open_driver
from memgraph.settings import Neo4jSettings, load_settings


def connect_neomodel(uri: str | None, data_dir: str | Path | None) -> None:
    """See ``memgraph.connect``."""
    settings = load_settings()
    if uri is not None:
        server = server_from_uri(uri)
    else:
        if data_dir is not None:
            server_free = settings.neo4j.model_copy(update={"uri": ""})
            settings = settings.model_copy(
                update={"data_dir": Path(data_dir), "neo4j": server_free}
            )
        server = server_settings(settings)
    neomodel.db.set_connection(driver=open_driver(server))


def server_from_uri(uri: str) -> Neo4jSettings:
    """Read ``bolt://user:password@host:7687/database``."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return Neo4jSettings(
        uri=f"{parts.scheme}://{host}",
        user=unquote(parts.username or "neo4j"),
        password=SecretStr(unquote(parts.password or "")),
        database=parts.path.lstrip("/") or "neo4j",
    )
