"""What the clients of the load script ask for: writes and reads of conversations, by a seed."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from benchmarks.clients import Answer, Request, Target

WEIGHTS = {
    "write a prompt": 30,
    "write a response": 20,
    "read a prompt": 30,
    "read a thread": 10,
    "lineage of a response": 5,
    "query prompts": 5,
}
PROMPTS_IN_SESSION = 10
REMEMBERED = 2_000
"""Newest ids of a kind that reads draw from."""
WORDS = ("where", "is", "my", "parcel", "it", "should", "be", "here", "since", "monday", "nobody")


class Mix:
    """Sources of requests. Reads ask for what was acknowledged, so every refusal is one."""

    def __init__(self, target: Target, seed: int, run: str) -> None:
        """``run`` begins every id, so that runs do not meet in a graph."""
        self._target = target
        self._seed = seed
        self._run = run
        self._sources = count()
        self._newest: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.acknowledged: dict[str, set[str]] = {"prompt": set(), "response": set()}
        self.unsure = 0
        """Writes whose answer never came or says that they may still be done."""

    def source(self) -> Iterator[Request]:
        """Requests of one client without end."""
        number = next(self._sources)
        random = Random(f"{self._seed}:{number}")
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        make: dict[str, Callable[[Random, str, int], Request | None]] = {
            "write a prompt": self._prompt,
            "write a response": self._response,
            "read a prompt": self._read,
            "read a thread": self._thread,
            "lineage of a response": self._lineage,
            "query prompts": self._query,
        }
        for step in count():
            [name] = random.choices(names, weights)
            request = make[name](random, f"{self._run}-{number}", step)
            # Before the first answers there is nothing to read.
            yield request or self._prompt(random, f"{self._run}-{number}", step)

    def note(self, answer: Answer) -> None:
        """Remember what was acknowledged."""
        kind, _, id_ = answer.request.about.partition(" ")
        if not id_:
            return
        if answer.status in (200, 201):
            self.acknowledged[kind].add(id_)
            self._newest[kind].append(id_)
        elif answer.status in (0, 503):
            self.unsure += 1

    def _prompt(self, random: Random, client: str, step: int) -> Request:
        id_ = f"{client}-p{step}"
        body = {
            "id": id_,
            "prompt": {"text": " ".join(random.choices(WORDS, k=random.randint(5, 60)))},
            "model": {"id": "auster-mini"},
        }
        path = f"/api/v1/sessions/{_session(id_)}/prompts"
        return self._write("write a prompt", path, body, f"prompt {id_}")

    def _response(self, random: Random, client: str, step: int) -> Request | None:
        prompt = self._draw(random, "prompt")
        if prompt is None:
            return None
        id_ = f"{client}-r{step}"
        text = " ".join(random.choices(WORDS, k=random.randint(10, 120)))
        body = {"id": id_, "response": {"text": text, "finish_reason": "stop"}}
        path = f"/api/v1/prompts/{prompt}/responses"
        return self._write("write a response", path, body, f"response {id_}")

    def _read(self, random: Random, client: str, step: int) -> Request | None:
        prompt = self._draw(random, "prompt")
        return self._get("read a prompt", f"/api/v1/prompts/{prompt}") if prompt else None

    def _thread(self, random: Random, client: str, step: int) -> Request | None:
        prompt = self._draw(random, "prompt")
        path = f"/api/v1/sessions/{_session(prompt)}/thread" if prompt else ""
        return self._get("read a thread", path) if path else None

    def _lineage(self, random: Random, client: str, step: int) -> Request | None:
        response = self._draw(random, "response")
        path = f"/api/v1/lineage/response/{response}?direction=up"
        return self._get("lineage of a response", path) if response else None

    def _query(self, random: Random, client: str, step: int) -> Request:
        newest = {"field": "created_at", "direction": "desc"}
        body = {"kind": "prompt", "sort": newest, "limit": 20}
        return self._target.request("POST", "/api/v1/query", body, name="query prompts")

    def _write(self, name: str, path: str, body: object, about: str) -> Request:
        return self._target.request("POST", path, body, about=about, name=name)

    def _get(self, name: str, path: str) -> Request:
        return self._target.request("GET", path, name=name)

    def _draw(self, random: Random, kind: str) -> str | None:
        newest = self._newest[kind]
        return random.choice(newest) if newest else None


def _session(prompt_id: str) -> str:
    """The session of a prompt: so many prompts in a row of a client."""
    client, _, step = prompt_id.rpartition("-p")
    return f"{client}-s{int(step) // (2 * PROMPTS_IN_SESSION)}"
