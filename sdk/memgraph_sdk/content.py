"""What may be told of texts and values: all, a redacted form, or only how long they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from memgraph_sdk.encoding import MAX_TEXT_CHARS, encoded

WITHHELD = "[content withheld]"
MISSING = "[no text]"
"""Stand for the text of a prompt, which the service needs."""
MAX_NOTE_CHARS = 20_000
_LARGEST_REDACTED = 2_000_000


@dataclass(frozen=True, slots=True)
class Content:
    """What one observer may tell. A redaction that raises withholds the text."""

    is_captured: bool = True
    redact: Callable[[str], str] | None = None
    fault: Callable[[BaseException], None] = lambda _: None

    def text(self, text: str | None, limit: int = MAX_TEXT_CHARS) -> str | None:
        """The text as it may be told, cut at the limit."""
        if text is None or not self.is_captured:
            return None
        text = text[:limit]
        if self.redact is None:
            return text
        try:
            redacted = self.redact(text)
        except Exception as error:  # noqa: BLE001 - the host's redaction, at our border to it
            self.fault(error)
            return None
        return redacted[:limit] if isinstance(redacted, str) else None

    def value(self, value: Any) -> Any:
        """A free-form value as it may be told, every text in it redacted."""
        if value is None or not self.is_captured:
            return None
        if self.redact is None:
            return value
        json = encoded(value)
        return self._redacted(from_json(json)) if len(json) <= _LARGEST_REDACTED else None

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._redacted(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._redacted(item) for item in value]
        return value

    def about(self, text: str | None, told: str | None) -> dict[str, Any]:
        """What metadata say of a text that is not told as it was."""
        if text is None:
            return {}
        if told is None:
            return {"content": "withheld", "characters": len(text)}
        if len(text) > MAX_TEXT_CHARS:
            return {"content": "truncated", "characters": len(text)}
        return {}
