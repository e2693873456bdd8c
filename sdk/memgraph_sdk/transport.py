"""Send requests and read answers: one pool of connections, retries, problems as errors."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx2
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from memgraph_sdk.errors import (
    MemgraphError,
    NotFound,
    Problem,
    Unavailable,
    UnexpectedAnswer,
    error_of,
)
from memgraph_sdk.result import Result

R = TypeVar("R", bound=Result)
Values = Mapping[str, Any]

API = "/api/v1"
API_VERSION = "1"
FIRST_DELAY_S = 0.2
SILENCE_S = 45.0
"""A stream of events says something three times as often."""
LONGEST_WAIT_S = 60.0
"""A service that asks for more patience gets none: the error says how long it takes."""

_LOST = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
"""What may go well the next time; the request may have arrived nevertheless."""


class Transport:
    """Talk to one service with one API key. Threads may share it."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float,
        retries: int,
        user_agent: str,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.retries = retries
        self._timeout_s = timeout_s
        self._http = httpx2.Client(
            base_url=base_url.rstrip("/") + API,
            headers={
                "Authorization": f"Bearer {api_key}",
                "Accept": "application/json",
                "User-Agent": user_agent,
                "X-API-Version": API_VERSION,
            },
            timeout=timeout_s,
            # A redirect would carry the key to where nobody sent it.
            follow_redirects=False,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, model: type[R], parameters: Values | None = None) -> R:
        """Read a thing."""
        return _read(self._send("GET", path, parameters=parameters), model)

    def post(self, path: str, body: Values, model: type[R]) -> R:
        """Record a thing. The key makes it safe to send again."""
        headers = {"Idempotency-Key": str(uuid4())}
        return _read(self._send("POST", path, body=body, headers=headers), model)

    def ask(self, path: str, body: Values | Sequence[Values], model: type[R]) -> R:
        """Ask a question that needs a body."""
        return _read(self._send("POST", path, body=body), model)

    def patch(self, path: str, body: Values, model: type[R], *, if_match: str | None) -> R:
        """Change a thing, if it still is what ``if_match`` says."""
        headers = {} if if_match is None else {"If-Match": if_match}
        # The second of two would not match any more, though it was the first that arrived.
        answer = self._send("PATCH", path, body=body, headers=headers, resend=if_match is None)
        return _read(answer, model)

    def deliver(self, path: str, body: bytes, model: type[R], *, is_packed: bool) -> R:
        """Send what is encoded already, once: whoever queues it decides when to try again."""
        packing = {"Content-Encoding": "gzip"} if is_packed else {}
        request = self._http.build_request("POST", path, content=body, headers={**_JSON, **packing})
        return _read(self._send_once(request, is_stream=False), model)

    def delete(self, path: str) -> None:
        """Delete a thing. That it is not there any more is no error of a second attempt."""
        try:
            self._send("DELETE", path)
        except NotFound as error:
            if error.attempts == 1:
                raise

    def pages(self, path: str, model: type[R], parameters: Values) -> Iterator[R]:
        """Every page of a list, each when it is asked for."""
        return _pages(
            lambda cursor: self.get(path, model, {**parameters, "cursor": cursor}),
            parameters.get("cursor"),
        )

    def ask_pages(self, path: str, body: Values, model: type[R]) -> Iterator[R]:
        """Every page of an answer, each when it is asked for."""
        return _pages(
            lambda cursor: self.ask(path, {**body, "cursor": cursor}, model), body.get("cursor")
        )

    def stream(self, path: str, body: Values) -> Iterator[dict[str, Any]]:
        """Objects of a stream of lines, as they come. Raises when it ends too early."""
        yield from _objects(lines_of(self._send("POST", path, body=body, is_stream=True)))

    def listen(self, path: str, parameters: Values, after: str | None) -> httpx2.Response:
        """Open a stream of events, after one that was read."""
        headers = {"Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = after
        return self._send(
            "GET", path, parameters=parameters, headers=headers, is_stream=True, silence_s=SILENCE_S
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        parameters: Values | None = None,
        body: Values | Sequence[Values] | None = None,
        headers: Mapping[str, str] | None = None,
        resend: bool = True,
        is_stream: bool = False,
        silence_s: float = 0,
    ) -> httpx2.Response:
        """Send until it is answered. Raises what the last answer says."""
        request = self._http.build_request(
            method,
            path,
            params=_texts(parameters or {}),
            content=None if body is None else _encoded(body),
            headers={**(headers or {}), **({} if body is None else _JSON)},
            timeout=httpx2.Timeout(self._timeout_s, read=max(self._timeout_s, silence_s)),
        )
        for attempt in range(self.retries + 1):
            try:
                return self._send_once(request, is_stream=is_stream)
            except MemgraphError as error:
                error.attempts = attempt + 1
                wait_s = _wait_s(error, attempt)
                if not resend or attempt == self.retries or wait_s is None:
                    raise
            time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _send_once(self, request: httpx2.Request, *, is_stream: bool) -> httpx2.Response:
        with _lost():
            answer = self._http.send(request, stream=is_stream)
            if not answer.is_success:
                with closing(answer):
                    answer.read()
        if answer.is_success:
            return answer
        raise error_of(answer)


def lines_of(answer: httpx2.Response) -> Iterator[str]:
    """Lines of an answer as they come. It is closed after the last one.

    Only line feeds end them: httpx2 also splits at what JSON may hold as it is (U+2028).
    """
    rest = b""
    with closing(answer), _lost():
        for chunk in answer.iter_bytes():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield _decoded(line)
        if rest:
            yield _decoded(rest)


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")


@contextmanager
def _lost() -> Iterator[None]:
    """Say in words of ours what happened on the way."""
    try:
        yield
    except _LOST as error:
        kind = type(error).__name__
        raise Unavailable(f"the service cannot be reached ({kind})") from error
    except httpx2.DecodingError as error:
        raise UnexpectedAnswer("the answer cannot be unpacked") from error


_JSON = {"Content-Type": "application/json"}
_STEPS = {".": "%2E", "..": "%2E%2E"}
"""Ids that would be taken for steps through the path."""


def path_of(*parts: str) -> str:
    """A path of words and ids. An id may hold any character."""
    if not all(parts):
        raise ValueError("an id must not be empty")
    return "".join(f"/{_STEPS.get(part) or quote(part, safe='')}" for part in parts)


def _wait_s(error: MemgraphError, attempt: int) -> float | None:
    """Seconds before the next attempt; None when there is no point in one.

    A conflict with a time to wait is the same request that has not ended yet.
    """
    asked = error.retry_after_s
    if not (error.is_retryable or (error.status == 409 and asked is not None)):
        return None
    if asked is not None and asked > LONGEST_WAIT_S:
        return None
    spread = random.uniform(0.5, 1.0) * FIRST_DELAY_S * 2.0**attempt  # noqa: S311 - spreads load
    return max(asked or 0.0, 0.0) + spread


def _texts(parameters: Values) -> dict[str, Any]:
    """Query arguments; those that are None are left out."""
    return {n: _text(v) for n, v in parameters.items() if v is not None}


def _text(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_text(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _encoded(body: Values | Sequence[Values]) -> bytes:
    try:
        return to_json(body, inf_nan_mode="constants")
    except PydanticSerializationError as error:
        raise TypeError(f"the body cannot be written as JSON: {error}") from None


def _read(answer: httpx2.Response, model: type[R]) -> R:
    try:
        result = model.model_validate_json(answer.content)
    except ValidationError as error:
        raise UnexpectedAnswer(
            f"the answer is not a {model.__name__}: {error.error_count()} fields differ",
            status=answer.status_code,
            request_id=answer.headers.get("X-Request-ID"),
        ) from error
    result._tagged(answer.headers.get("ETag"))
    return result


def _pages(fetch: Callable[[str | None], R], cursor: str | None) -> Iterator[R]:
    while True:
        page = fetch(cursor)
        yield page
        following: str | None = getattr(page, "next_cursor", None)
        if following is None:
            return
        if following == cursor:
            raise UnexpectedAnswer("the list does not advance")
        cursor = following


def _objects(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """All lines but the last, which says how the stream ended."""
    last: dict[str, Any] = {}
    for number, line in enumerate(lines):
        if number:
            yield last
        last = _object(line)
    if "problem" in last:
        problem = Problem.model_validate(last["problem"])
        raise problem.to_error(problem.status)
    if last.get("done") is not True:
        raise Unavailable("the stream was cut off")


def _object(line: str) -> dict[str, Any]:
    try:
        found = from_json(line)
    except ValueError as error:
        raise UnexpectedAnswer("a line of the stream is not JSON") from error
    if not isinstance(found, dict):
        raise UnexpectedAnswer("a line of the stream is not an object")
    return found
