"""What a program did, as it says itself: conversations and steps, the form of ``scenario.json``."""

from __future__ import annotations

from collections import Counter
from typing import Any

Json = dict[str, Any]


class Told:
    """Written while a program runs. The scripted model adds its calls, the program the rest."""

    def __init__(self) -> None:
        self.conversations: list[Json] = []
        self.steps: list[Json] = []
        self.agent: str | None = None

    def converse(self, session_id: str | None = None, user_id: str | None = None) -> None:
        """Begin a conversation, by the ids that the program gives to the library."""
        number = len(self.conversations)
        told: Json = {"n": number, "id": session_id, "user": user_id, "turns": []}
        self.conversations.append(told)

    def turn(self, asked: str, answered: str | None) -> None:
        self.conversations[-1]["turns"].append({"user": asked, "assistant": answered})

    def step(self, kind: str, **facts: Any) -> Json:
        place = {"n": len(self.steps), "kind": kind, "conversation": len(self.conversations) - 1}
        step = place | ({"agent": self.agent} if self.agent else {}) | facts
        self.steps.append(step)
        return step

    def expected(self) -> Json:
        counts = Counter(step["kind"] for step in self.steps)
        counts["conversations"] = len(self.conversations)
        return {"counts": counts, "conversations": self.conversations, "steps": self.steps}
