"""What the tests of observing share: a function, a tool, an error, and what came in."""

from __future__ import annotations

import time
from collections.abc import Callable

import memgraph_sdk as sdk
from memgraph_sdk import observe

from tests.sdk.door import Door


def delivered(door: Door) -> Door:
    """The door, when all has come in that was observed; nothing was lost on the way."""
    assert sdk.flush(60)
    told = sdk.stats()
    assert (told.errors, told.rejected, told.dropped, told.failed) == (0, 0, 0, 0)
    assert told.recorded == told.sent == len(door.stored)
    return door


class Failure(Exception):
    code = "E7"


@observe(kind="tool")
def track(parcel: str) -> dict[str, str]:
    """Find out when a parcel comes."""
    if parcel == "lost":
        raise Failure("not found")
    return {"due": "Monday"}


@observe
def ask(question: str) -> str:
    """Answer nothing in particular."""
    return "It depends."


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)
