"""Observe calls of models and tools: as a decorator, or around a block."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

from memgraph_sdk import drivers, observing
from memgraph_sdk.call import Call
from memgraph_sdk.observation import Observation, Step, Subject, current

P = ParamSpec("P")
R = TypeVar("R")


class Observer:
    """Observes every call of the functions that it decorates, and every block that it is around.

    Inside a block, the call is what `with` gives.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        # Others may share this observer, so blocks end in any order.
        self._open: dict[Observation, Step] = {}

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function: plain, async, a generator or an async generator; or a method."""
        if isinstance(function, classmethod | staticmethod):
            # This decorator may stand above theirs as well as below.
            return cast(Callable[P, R], type(function)(self(function.__func__)))
        return drivers.driven(function, _beginning(function, self._subject))

    def __enter__(self) -> Call:
        if self._subject.get("kind") == "tool":
            raise TypeError("a tool is observed by decorating it; in a block, say call.tool(...)")
        call = observing.begin(self._subject)
        if call.is_on:
            step = self._open[call] = call.step()
            step.__enter__()
        return cast(Call, call)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        call = self._ending()
        step = None if call is None else self._open.pop(call, None)
        if call is None or step is None:
            return
        step.__exit__()
        if error is not None:
            call.failed(error)
        call.finish()

    async def __aenter__(self) -> Call:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _ending(self) -> Observation | None:
        """The block that goes on here; one that began in another context ends as the latest."""
        here = current()
        return here if here in self._open else next(reversed(tuple(self._open)), None)


@overload
def observe(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def observe(**subject: Unpack[Subject]) -> Observer: ...
def observe(function: Callable[..., Any] | None = None, /, **subject: Unpack[Subject]) -> Any:
    """Record calls of a model in the background; the host neither waits nor fails for it.

    Decorates a function, or goes around a block with `with`. ``kind="tool"`` records the run of
    a tool, which belongs to the call that it happens in or that asked for it; ``kind="scope"``
    only says session, user and agent to what is inside. ``prompt`` and ``response`` find what
    was asked among the arguments, and what was answered in the result.
    """
    if unknown := subject.keys() - Subject.__annotations__:
        raise TypeError(f"observe() knows no {', '.join(sorted(unknown))}")
    observer = Observer(subject)
    return observer if function is None else observer(function)


def _beginning(function: Callable[..., Any], subject: Subject) -> drivers.Begin:
    """How a call of the function begins to be observed."""
    subject = {"name": getattr(function, "__name__", "function"), **subject}
    find = subject.get("prompt")
    names = _names(function)
    skipped = int(names[:1] in (["self"], ["cls"]))

    def named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name; those without one by their place."""
        found = dict(zip(names[skipped:], args[skipped:], strict=False))
        found.update((f"argument_{i}", v) for i, v in enumerate(args[len(names) :], len(names)))
        found.update(kwargs)
        return found

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Observation:
        found: dict[str, Any] = {}
        call = observing.begin(subject, lambda: found.update(named(args, kwargs)) or found)
        if isinstance(call, Call):
            call.called(found, None if find is None else partial(find, *args, **kwargs))
        return call

    return begin


def _names(function: Callable[..., Any]) -> list[str]:
    """Names of the arguments that may be given by place."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []  # A function that does not tell, such as one written in C.
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
