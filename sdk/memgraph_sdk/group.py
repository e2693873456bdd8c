"""Base of the groups of methods."""

from __future__ import annotations

from memgraph_sdk.transport import Transport


class Group:
    """Methods about one kind of thing. Ids come first and are given by position."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
