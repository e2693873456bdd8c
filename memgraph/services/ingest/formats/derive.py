"""Derive what a recorded conversation lacks: times, token counts, latencies, costs.

Everything is drawn from distributions stated here, by one source of randomness per
session, seeded by (seed, session id): the same seed gives the same values whatever
else is in the file. Whoever uses a value lists its property as derived.

==================  ==========================================================
start of a session  day uniform over the 42 days from 2024-05-16; time of day
                    triangular from 06:00 to 23:00 UTC, mode 14:00
pause of a user     log-normal, median 25 s, sigma 0.8, from 2 s to 15 min
time of a tool      log-normal, median 180 ms, sigma 0.6, from 5 ms to 10 s
tokens of a text    a quarter of its characters, rounded up
tokens of a prompt  all messages before the answer, 4 more for each message
ttft                log-normal, median 450 ms, sigma 0.35, and 0.05 ms per
                    prompt token
tokens per second   log-normal, median 75, sigma 0.25
latency             ttft, and completion tokens by tokens per second
cost                tokens by the list price of the model, where it is known
==================  ==========================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

FIRST_DAY = datetime(2024, 5, 16, tzinfo=UTC)
DAYS = 42
MESSAGE_TOKENS = 4
"""What a message costs beside its text, in tokens."""

_CHARS_PER_TOKEN = 4
_TTFT_MS_PER_PROMPT_TOKEN = 0.05


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text."""
    return math.ceil(len(text) / _CHARS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Generation:
    """How a response was generated."""

    prompt_tokens: int
    completion_tokens: int
    latency_ms: int
    ttft_ms: int
    tokens_per_second: float


class Clock:
    """The time of one session. Every call moves on by at least a millisecond."""

    def __init__(self, seed: int, session_id: str) -> None:
        self._random = Random(f"{seed}:{session_id}")  # noqa: S311 - no secret
        day = self._random.randrange(DAYS)
        hour = self._random.triangular(6, 23, 14)
        self.now = FIRST_DAY + timedelta(days=day, seconds=int(hour * 3600))

    def tick(self) -> datetime:
        """Move on as little as possible."""
        return self._pass(1)

    def pause(self) -> datetime:
        """Let a user read, think and type."""
        return self._pass(self._between(2_000, 25_000, 0.8, 900_000))

    def use_tool(self) -> int:
        """Let a tool work; return its duration in ms."""
        duration_ms = self._between(5, 180, 0.6, 10_000)
        self._pass(duration_ms)
        return duration_ms

    def generate(self, prompt_tokens: int, completion_tokens: int) -> Generation:
        """Let a model answer."""
        ttft_ms = round(
            self._between(1, 450, 0.35, 60_000) + prompt_tokens * _TTFT_MS_PER_PROMPT_TOKEN
        )
        rate = round(75 * self._random.lognormvariate(0, 0.25), 2)
        latency_ms = ttft_ms + round(1000 * completion_tokens / rate)
        self._pass(latency_ms)
        return Generation(prompt_tokens, completion_tokens, latency_ms, ttft_ms, rate)

    def _between(self, low: int, median: int, sigma: float, high: int) -> int:
        return min(max(round(median * self._random.lognormvariate(0, sigma)), low), high)

    def _pass(self, ms: int) -> datetime:
        self.now += timedelta(milliseconds=ms)
        return self.now
