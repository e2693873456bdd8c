"""Which writer takes which event: a session stays with one writer, so that two do not wait."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from zlib import crc32

REMEMBERED = 200_000
"""Keys of prompts, responses and calls whose session is remembered."""

_SUBJECTS = ("session", "agent", "model", "template", "schema_")
_NAMES = ("prompt_event_id", "response_id", "prompt_id", "session_id", "invocation_id")


class Router:
    """Route events by session. A wrong guess costs a wait for a lock, never correctness."""

    def __init__(self, writers: int) -> None:
        self._writers = writers
        self._home: OrderedDict[str, str] = OrderedDict()

    def route(self, event: Any) -> int:
        """The writer of ``event``, from 0."""
        home = self._home_of(event)
        for key in self._keys(event):
            self._home[key] = home
        while len(self._home) > REMEMBERED:
            self._home.popitem(last=False)
        return crc32(home.encode()) % self._writers

    def _home_of(self, event: Any) -> str:
        for name in _NAMES:
            key = getattr(event, name, None)
            if isinstance(key, str):
                return self._home.get(key, key)
        for name in _SUBJECTS:
            subject = getattr(event, name, None)
            if subject is not None:
                return str(subject.id)
        return str(event.event_id)

    def _keys(self, event: Any) -> list[str]:
        calls = getattr(getattr(event, "response", None), "tool_calls", None) or ()
        return [event.event_id, *(call.id for call in calls)]
