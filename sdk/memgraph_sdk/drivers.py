"""Run a function of any kind under observation, so that its caller notices nothing.

A call begins when the function's body does: for generators and coroutines with the first step.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from types import AsyncGeneratorType, CoroutineType, GeneratorType, TracebackType
from typing import Any

from memgraph_sdk.observation import Observation

Begin = Callable[[tuple[Any, ...], dict[str, Any]], Observation]
Function = Callable[..., Any]


class _Watched:
    """Records how a call ends."""

    __slots__ = ("_call",)

    def __init__(self, call: Observation) -> None:
        self._call = call

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, GeneratorExit):
            self._call.failed(error)
        self._call.finish()


def driven(function: Function, begin: Begin) -> Function:
    """The function, observed: of the same kind, with the same results and errors."""
    if inspect.iscoroutinefunction(function):
        return wraps(function)(_awaited(function, begin))
    if inspect.isgeneratorfunction(function):
        return wraps(function)(_generated(function, begin))
    if inspect.isasyncgenfunction(function):
        return wraps(function)(_streamed(function, begin))
    return wraps(function)(_called(function, begin))


def _called(function: Function, begin: Begin) -> Function:
    def called(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        if not call.is_on:
            return function(*args, **kwargs)
        try:
            with call.step():
                result = function(*args, **kwargs)
        except BaseException as error:
            call.failed(error)
            call.finish()
            raise
        # A plain function may well return something that is yet to run.
        if (later := _LATER.get(type(result))) is not None:
            return later(lambda: result, lambda *_: call)()
        call.returned(result)
        call.finish()
        return result

    return called


def _awaited(function: Function, begin: Begin) -> Function:
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        with _Watched(call):
            with call.step():
                result = await function(*args, **kwargs)
            call.returned(result)
            return result

    return awaited


def _generated(function: Function, begin: Begin) -> Function:
    def generated(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        with _Watched(call):
            generator = function(*args, **kwargs)
            step = partial(generator.send, None)
            while True:
                try:
                    with call.step():
                        piece = step()
                except StopIteration as end:
                    if end.value is not None:
                        call.returned(end.value)
                    return end.value
                call.chunk(piece)
                try:
                    step = partial(generator.send, (yield piece))
                except GeneratorExit:
                    call.cut()
                    with call.step():
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - passed on as it is
                    step = partial(generator.throw, error)

    return generated


def _streamed(function: Function, begin: Begin) -> Function:
    async def streamed(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        with _Watched(call):
            generator = function(*args, **kwargs)
            step = partial(generator.asend, None)
            while True:
                try:
                    with call.step():
                        piece = await step()
                except StopAsyncIteration:
                    return
                call.chunk(piece)
                try:
                    step = partial(generator.asend, (yield piece))
                except GeneratorExit:
                    call.cut()
                    with call.step():
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - passed on as it is
                    step = partial(generator.athrow, error)

    return streamed


_LATER: dict[type, Callable[[Function, Begin], Function]] = {
    GeneratorType: _generated,
    AsyncGeneratorType: _streamed,
    CoroutineType: _awaited,
}
