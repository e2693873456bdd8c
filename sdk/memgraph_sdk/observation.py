"""What is being observed now, and how observations inside each other belong together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypedDict, TypeVar

from memgraph_sdk.content import MAX_NOTE_CHARS, Content
from memgraph_sdk.encoding import encoded
from memgraph_sdk.ids import new_id
from memgraph_sdk.recorder import Recorder

P = ParamSpec("P")
R = TypeVar("R")
O = TypeVar("O", bound="Observation")  # noqa: E741 - an observation
Kind = Literal["call", "tool", "scope"]
Arguments = Mapping[str, Any]

MAX_AWAITED = 1_000
"""Tool calls that are remembered until the host runs the tools."""


class Subject(TypedDict, total=False):
    """What an observer is told about all that it observes."""

    kind: Kind
    name: str
    """Of the function or tool; that of the decorated function by default."""
    session: str
    user: str
    application: str
    agent: str
    model: str
    provider: str
    tags: Sequence[str]
    classification: str
    capture_content: bool
    prompt: Callable[..., Any]
    """Finds the prompt among the arguments, which it is called with."""
    response: Callable[[Any], Any]
    """Finds the response in the result."""


class Nowhere:
    """Takes the place of a recorder where nothing is recorded."""

    def put(self, events: Sequence[bytes]) -> None:
        """Forget events."""

    def fault(self, error: BaseException) -> None:
        """Forget an error."""


@dataclass(frozen=True, slots=True)
class Sink:
    """Where observations go, and what may be told of contents."""

    recorder: Recorder | Nowhere
    content: Content
    application: str | None = None

    def for_(self, subject: Subject) -> Sink:
        """The sink as the subject wants it."""
        wanted = subject.get("capture_content")
        if wanted is None or wanted == self.content.is_captured:
            return self
        return replace(self, content=replace(self.content, is_captured=wanted))

    def put(self, *events: Mapping[str, Any]) -> None:
        """Record events."""
        self.recorder.put([encoded(event) for event in events])


def quiet(
    method: Callable[Concatenate[O, P], R],
) -> Callable[Concatenate[O, P], R | None]:
    """Make a method do nothing when nothing is recorded, and never raise: our outermost border."""

    @wraps(method)
    def guarded(self: O, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        if not self.is_on:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the host must not notice
            self.sink.recorder.fault(error)
            return None

    return guarded


@dataclass(slots=True)
class Awaited:
    """A tool call that a model asked for and that nobody has run yet."""

    name: str
    invocation_id: str
    response_id: str


class Observation:
    """Something that goes on, and what it is inside of."""

    is_on = True

    def __init__(
        self, sink: Sink, subject: Subject, parent: Observation | None, arguments: Arguments
    ) -> None:
        self.sink = sink
        self.subject = subject
        self.parent = parent
        session = self._told("session_id", subject.get("session"), arguments)
        self.session_id = session or new_id()
        self.user_id = self._told("user_id", subject.get("user"), arguments)
        self.agent_id = self._told("agent_id", subject.get("agent"), arguments)
        self.awaited: deque[Awaited] = deque(maxlen=MAX_AWAITED)
        self.inner_response_id: str | None = None
        """Response of the call that ended last in here."""
        self.inner_prompt: tuple[str, str] | None = None
        """Text and id of the prompt that was recorded last in here."""
        self.is_over = False
        self.restart()

    def _told(self, name: str, said: str | None, arguments: Arguments) -> str | None:
        """What the observer was told, else the argument of the name, else what is around."""
        if said is None and isinstance(argument := arguments.get(name), str):
            said = argument
        return said or (None if self.parent is None else getattr(self.parent, name))

    def step(self) -> Step:
        """Make this the observation that goes on, for a while."""
        return Step(self)

    def around(self) -> Iterator[Observation]:
        """This observation, and those that it is inside of."""
        found: Observation | None = self
        while found is not None:
            yield found
            found = found.parent

    def restart(self) -> None:
        """Begin to count time now."""
        self.started_at = datetime.now(UTC)
        self.started = time.perf_counter()

    def elapsed_ms(self) -> int:
        """Time since it began."""
        return round((time.perf_counter() - self.started) * 1_000)

    def adopt(self) -> str | None:
        """The response that a tool which runs in here belongs to, if no model asked for it."""
        return self.inner_response_id

    def claim(self, tool_name: str) -> Awaited | None:
        """Take over the oldest tool call of this name that a model asked for in here."""
        for observation in self.around():
            for awaited in tuple(observation.awaited):
                if awaited.name == tool_name:
                    try:
                        observation.awaited.remove(awaited)
                    except ValueError:
                        continue  # Another thread was faster.
                    return awaited
        return None

    # What follows is said by drivers, whatever is observed.

    def returned(self, result: Any) -> None:
        """Take the result of a function."""

    def chunk(self, piece: Any) -> None:
        """Take a piece of the result of a generator."""

    def failed(self, error: BaseException) -> None:
        """Take what the host raised."""

    def cut(self) -> None:
        """Take that nobody wanted the rest of a stream."""

    def finish(self) -> None:
        """Record what was observed, once."""


_COLLECTIONS = (dict, list, tuple)
_current: ContextVar[Observation | None] = ContextVar("memgraph_observation", default=None)


def current() -> Observation | None:
    """The observation that goes on here."""
    return _current.get()


class Step:
    """A stretch of time in which an observation is the one that goes on."""

    __slots__ = ("_observation", "_token")

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self._token: Token[Observation | None] | None = None

    def __enter__(self) -> None:
        if self._observation.is_on:
            self._token = _current.set(self._observation)

    def __exit__(self, *_: object) -> None:
        if self._token is None:
            return
        try:
            _current.reset(self._token)
        except ValueError:
            # Closed in another context, by a collector or an event loop: not ours to set.
            return


def error_of(error: BaseException | str, code: str | None, content: Content) -> dict[str, Any]:
    """What is told of an error: its kind always, its words as contents may be told."""
    if isinstance(error, str):
        return present(message=content.text(error, MAX_NOTE_CHARS), code=code)
    if code is None:
        found = getattr(error, "code", None) or getattr(error, "status_code", None)
        code = str(found) if isinstance(found, str | int) else None
    message = content.text(str(error), MAX_NOTE_CHARS)
    return present(type=type(error).__name__, message=message, code=code)


def present(**values: Any) -> dict[str, Any]:
    """The values that say something."""
    # By class: what hosts put in may have ideas of its own about being equal or true.
    return {
        name: value
        for name, value in values.items()
        if value is not None and (value.__class__ not in _COLLECTIONS or value)
    }
