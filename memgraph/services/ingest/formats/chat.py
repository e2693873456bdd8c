"""Conversation files: one conversation per record, its messages in the form of OpenAI.

Two layouts are read::

    {"task_id", "trial", "reward", "info", "traj": [message, …]}         tau-bench
    {"session_id" or "id", "messages": [message, …], "metadata", …}      any other

A conversation may also say ``user_id``, ``title``, ``model`` and ``reward``; what else it
says is kept as metadata of the session. Times are not read: they are derived (derive.py),
as all that such a file lacks, and marked so. A conversation with a fault is refused as a
whole, and its first fault named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import AgentEvent, first_problem
from memgraph.domain.events.base import Finite, Key, Metadata, Name
from memgraph.domain.events.conversation import AgentBody, ModelRef, SessionRef
from memgraph.domain.values import AgentStatus, Purpose
from memgraph.services.ingest.formats.derive import FIRST_DAY
from memgraph.services.ingest.formats.json_stream import Raw, parse_object, raw_records
from memgraph.services.ingest.formats.known_models import KNOWN_MODELS
from memgraph.services.ingest.formats.records import FormatOptions, Problem, Record
from memgraph.services.ingest.formats.thread import HUMAN, Cast, Thread

TAU_BENCH_MODEL = "gpt-4o"
"""Model of the published tau-bench trajectories, which do not name it."""


def matches(record: Mapping[str, Any]) -> bool:
    """Say whether it has messages."""
    return not {"messages", "traj"}.isdisjoint(record)


def read(path: Path, options: FormatOptions) -> Iterator[Record | Problem]:
    """Yield the events of each conversation; first those of the model and agents in it.

    Holds one conversation at a time.
    """
    reader = _Reader(path, options)
    for raw in raw_records(path):
        if isinstance(raw, Problem):
            yield raw
        else:
            yield from reader.read(raw)


class _Conversation(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", hide_input_in_errors=True)

    messages: Annotated[
        list[Any], Field(min_length=1, validation_alias=AliasChoices("messages", "traj"))
    ]
    user_id: Key | None = None
    title: Name | None = None
    model: Key | None = None
    reward: Finite | None = None
    metadata: Metadata | None = None

    @property
    def rest(self) -> dict[str, Any]:
        """What no field here stands for."""
        return self.model_extra or {}


class _Reader:
    """Reads the conversations of one file."""

    def __init__(self, path: Path, options: FormatOptions) -> None:
        self._options = options
        self._stem = _stem(path)
        self._application_id = options.application_id or self._stem
        self._introduced: set[str] = set()

    def read(self, raw: Raw) -> Iterator[Record | Problem]:
        """Yield all events of a conversation, or a problem alone."""
        position = f"session {raw.number}"
        try:
            record = parse_object(raw)
            conversation = _Conversation.model_validate(record)
            cast = self._cast(conversation, is_tau_bench="traj" in record)
            newcomers = self._newcomers(cast)
            events = self._thread(conversation, cast, raw.number)
        except ValidationError as error:
            yield Problem(position, first_problem(error))
        except InvalidInput as error:
            number = error.facts.get("message")
            yield Problem(f"{position}, message {number}" if number else position, error)
        else:
            for event in newcomers:
                self._introduced.add(event.event_id)
                yield Record.of(event, position)
            for event, number in events:
                yield Record.of(event, f"{position}, message {number}" if number else position)

    def _thread(
        self, conversation: _Conversation, cast: Cast, number: int
    ) -> list[tuple[Any, int]]:
        rest = conversation.rest
        named_by = next((n for n in ("session_id", "id") if rest.get(n) is not None), None)
        session = SessionRef(
            id=_as_key(rest, named_by) if named_by else self._session_id(rest, number),
            user_id=conversation.user_id or _tau_bench_user(rest),
            application_id=self._application_id,
            purpose=Purpose.CHAT,
        )
        return Thread(session, cast, self._options.seed).events(
            conversation.messages,
            title=conversation.title,
            metadata={
                **(conversation.metadata or {}),
                **{k: v for k, v in rest.items() if v is not None and k != named_by},
            },
            reward=conversation.reward,
        )

    def _session_id(self, rest: dict[str, Any], number: int) -> str:
        """Make an id from the file and the task, or the place in the file."""
        if rest.get("task_id") is None:
            return f"{self._stem}-{number}"
        said = [_as_key(rest, n) for n in ("task_id", "trial") if rest.get(n) is not None]
        return "-".join((self._stem, *said))

    def _cast(self, conversation: _Conversation, *, is_tau_bench: bool) -> Cast:
        said = conversation.model or self._options.model_id
        model_id = said or (TAU_BENCH_MODEL if is_tau_bench else None)
        known = KNOWN_MODELS.get(model_id or "")
        assumed = [] if self._options.application_id else ["application_id"]
        if model_id and not said:
            assumed.append("model_id")
        if known:
            assumed += ["provider", "model_version"]
        model = known.reference if known else ModelRef(id=model_id) if model_id else None
        return Cast(f"{self._application_id}-assistant", model, known, tuple(assumed))

    def _newcomers(self, cast: Cast) -> list[Any]:
        """Events that introduce who has not been met in this file."""
        assistant = AgentBody(
            id=cast.assistant_id,
            name="Assistant",
            role="assistant",
            model_id=cast.model.id if cast.model else None,
        )
        human = AgentBody(id=HUMAN, name="Human agents", role="human")
        models = [cast.known_model.registration] if cast.known_model else []
        events = [*models, _registration(assistant), _registration(human)]
        return [event for event in events if event.event_id not in self._introduced]


def _registration(agent: AgentBody) -> AgentEvent:
    """Register an agent: what is said decides the id, so a second one is a duplicate."""
    active = agent.model_copy(
        update={
            "status": AgentStatus.ACTIVE,
            "metadata": {"derived_properties": ["created_at", "last_active_at", "status"]},
        }
    )
    digest = blake2b(active.model_dump_json().encode(), digest_size=6).hexdigest()
    return AgentEvent(event_id=f"agent-{digest}", timestamp=FIRST_DAY, agent=active)


def _stem(path: Path) -> str:
    """Name of the file without its suffix, and without bytes that are no text."""
    name = path.name.encode("utf-8", "replace").decode()
    return Path(name.removesuffix(".gz")).stem


def _as_key(record: dict[str, Any], field: str) -> str:
    value = record[field]
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise InvalidInput(field, "must be a text or a whole number")


def _tau_bench_user(rest: dict[str, Any]) -> str | None:
    match rest:
        case {"info": {"task": {"user_id": str(user_id)}}}:
            return user_id
    return None
