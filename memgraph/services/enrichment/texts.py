"""What a text alone says of itself, worked out once per unique text."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

from memgraph.domain import pii
from memgraph.services.ports import CountsTokens, DetectsLanguage, FindsNames, TokenCount

T = TypeVar("T")

REMEMBERED = 20_000
"""Answers that are kept. A text is remembered by its digest, so a long one costs no more."""
SHORT = 64
"""Characters of a text that is cheaper to look at again than to remember."""


@dataclass(eq=False)
class Texts:
    """Language, tokens and personal data of texts. Threads may share it."""

    languages: DetectsLanguage
    tokens: CountsTokens
    names: FindsNames | None = None
    """Without, no names are looked for."""
    _known: OrderedDict[tuple[str, bytes], Any] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def language(self, text: str) -> str | None:
        """ISO 639-1 code; None when the text is too short to tell."""
        return self._once("language", text, lambda: self.languages.detect(text))

    def count_tokens(self, text: str, model_id: str | None) -> TokenCount:
        """Tokens of the text as the model counts them, or an estimate."""
        kind = f"tokens {self.tokens.encoding_of(model_id)}"
        return self._once(kind, text, lambda: self.tokens.count(text, model_id))

    def personal_data(self, text: str) -> list[pii.Finding]:
        """Where the text holds personal data, in order."""
        if len(text) <= SHORT:
            return self._short_personal_data(text)
        return self._once("pii", text, lambda: self._personal_data(text))

    @cached_property
    def _short_personal_data(self) -> Callable[[str], list[pii.Finding]]:
        # Short texts are names and figures in the results of tools, and come again and again.
        return lru_cache(maxsize=REMEMBERED)(self._personal_data)

    def _personal_data(self, text: str) -> list[pii.Finding]:
        found = pii.find(text)
        return found if self.names is None else pii.with_names(text, found, self.names.find(text))

    def _once(self, kind: str, text: str, work: Callable[[], T]) -> T:
        if len(text) <= SHORT:
            return work()
        key = (kind, blake2b(text.encode(), digest_size=16).digest())
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                answer: T = self._known[key]
                return answer
        answer = work()
        with self._lock:
            self._known[key] = answer
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return answer
