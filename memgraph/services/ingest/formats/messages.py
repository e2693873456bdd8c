"""Messages in the form of OpenAI's chat API, read strictly. One message at a time, no order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from memgraph.domain.events import first_problem
from memgraph.domain.events.base import Json, Key, Name
from memgraph.domain.events.conversation import Image
from memgraph.domain.values import MAX_ITEMS

_JSON: TypeAdapter[Any] = TypeAdapter(Json)


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says and shows."""

    text: str = ""
    images: tuple[Image, ...] = ()


def _read_content(value: Any) -> Content:
    if isinstance(value, str):
        return Content(value)
    texts: list[str] = []
    images: list[Image] = []
    for part in [] if value is None else value if isinstance(value, list) else [value]:
        match part:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                images.append(image_of(url))
            case _:
                raise PydanticCustomError(
                    "content", "must be a text, or a list of text and image_url parts"
                )
    return Content("\n".join(texts), tuple(images))


def image_of(url: str) -> Image:
    """A picture by address, or inline when the address is one of data."""
    head, comma, data = url.partition(";base64,")
    if head.startswith("data:") and comma:
        return Image(base64=data, mime_type=head.removeprefix("data:") or None)
    return Image(url=url)


def _read_arguments(value: Any) -> str | None:
    """OpenAI sends arguments as JSON in a string, others as an object."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


class _Input(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


class Function(_Input):
    name: Name
    arguments: Annotated[str | None, BeforeValidator(_read_arguments)] = None


class Call(_Input):
    """An assistant calls a tool."""

    id: Key
    type: Name | None = None
    function: Function


class Message(_Input):
    """One message. Fields that are not declared here are passed over."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[Content, BeforeValidator(_read_content)] = Content()
    tool_calls: Annotated[list[Call], Field(max_length=MAX_ITEMS)] | None = None
    tool_call_id: Key | None = None
    function_call: None = None
    """Before there were tool calls; refused, so that nothing is lost in silence."""


def read_message(value: Any) -> Message:
    """Check one message. Raises InvalidInput with field and rule."""
    try:
        return Message.model_validate(value)
    except ValidationError as error:
        raise first_problem(error) from None


def json_or_text(text: str) -> Any:
    """Read a text as JSON if it is standard JSON that the graph can keep; else it stays text."""
    try:
        orjson.loads(text)  # refuses NaN and Infinity, which pydantic lets through
        return _JSON.validate_json(text)
    except (orjson.JSONDecodeError, ValidationError):
        return text
