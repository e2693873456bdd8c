"""Hear of changes as they happen: server-sent events (HTML Living Standard, 9.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import httpx2
from pydantic import ValidationError

from memgraph_sdk.errors import Unavailable, UnexpectedAnswer
from memgraph_sdk.models import StreamedChange
from memgraph_sdk.transport import LONGEST_WAIT_S, lines_of

GAP = "gap"
COME_BACK_AFTER_S = 3.0
"""Unless the service says otherwise."""

Open = Callable[[str | None], httpx2.Response]


class Changes:
    """Changes one after the other, without end. One thread reads it; close it, or use `with`.

    A stream that ends or breaks is taken up again after the last event that was read. Each
    change comes at least once: its `id` tells repeats.
    """

    def __init__(self, open_: Open, *, retries: int) -> None:
        """``open_`` begins a stream after a place. It is called at once, so nothing is missed.

        A stream that breaks off so often in a row, with nothing new in between, is an error.
        """
        self._open = open_
        self._retries = retries
        self._wait_s = COME_BACK_AFTER_S
        self._failures = 0
        self.place: str | None = None
        """That of the last change that was read: `after` of whoever goes on later."""
        self.gaps = 0
        """How often the service said that something before the next change may be missing."""
        self._answer = open_(None)
        self._told = self._changes()

    def __iter__(self) -> Iterator[StreamedChange]:
        return self

    def __next__(self) -> StreamedChange:
        return next(self._told)

    def close(self) -> None:
        """End the stream; nothing comes any more."""
        self._told.close()
        self._answer.close()

    def __enter__(self) -> Changes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _changes(self) -> Generator[StreamedChange, None, None]:
        while True:
            try:
                yield from self._read(_blocks(lines_of(self._answer)))
            except Unavailable:
                self._failures += 1
                if self._failures > self._retries:
                    raise
            # The service ends streams after a while, and asks for patience between them.
            time.sleep(self._wait_s)
            self._answer = self._open(self.place)

    def _read(self, blocks: Iterator[_Block]) -> Iterator[StreamedChange]:
        for number, block in enumerate(blocks):
            if number:  # the first says where the stream begins
                self._failures = 0
            self._wait_s = block.wait_s if block.wait_s is not None else self._wait_s
            self.place = block.id or self.place
            if block.event == GAP:
                self.gaps += 1
            elif block.data:
                yield _change(block.text)


@dataclass(slots=True)
class _Block:
    """What stands between two empty lines."""

    id: str | None = None
    event: str = ""
    data: list[str] = field(default_factory=list)
    wait_s: float | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.data)

    def take(self, line: str) -> None:
        """Add a line; comments and what is unknown mean nothing."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data.append(value)
        elif name == "event":
            self.event = value
        elif name == "id" and "\0" not in value:
            self.id = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            self.wait_s = min(int(value) / 1_000, LONGEST_WAIT_S)


def _blocks(lines: Iterator[str]) -> Iterator[_Block]:
    """Whole blocks; one that is cut off is none."""
    block = _Block()
    for line in lines:
        if line:
            block.take(line)
        else:
            yield block
            block = _Block()


def _change(text: str) -> StreamedChange:
    try:
        return StreamedChange.model_validate_json(text)
    except ValidationError as error:
        raise UnexpectedAnswer("an event of the stream is no change") from error
