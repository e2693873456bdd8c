"""Find and replace what people and models wrote in an event, whatever its class.

Which fields hold such text is declared by their types (``FREE_TEXT``) and read
once per class. Keys, names, numbers and enumerations are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel

from memgraph.domain.events.base import FREE_TEXT

Replace = Callable[[str], str]
Event = TypeVar("Event", bound=BaseModel)


def texts_of(part: BaseModel) -> Iterator[str]:
    """Yield every free text inside ``part``, in the order of its fields."""
    for name, is_text in _fields(type(part)):
        value = getattr(part, name)
        if value is not None:
            yield from _strings(value) if is_text else _nested(value)


def with_texts(part: Event, replace: Replace) -> Event:
    """A copy of ``part`` whose free texts are what ``replace`` makes of them.

    The same object when nothing changes.
    """
    changed = {}
    for name, is_text in _fields(type(part)):
        value = getattr(part, name)
        if value is None:
            continue
        other = replaced(value, replace) if is_text else _replaced_nested(value, replace)
        if other is not value:
            changed[name] = other
    return part.model_copy(update=changed) if changed else part


@lru_cache(maxsize=256)
def _fields(part: type[BaseModel]) -> tuple[tuple[str, bool], ...]:
    """The fields that hold text (True) or parts that may (False)."""
    found = []
    for name, field in part.model_fields.items():
        kinds = set(_kinds(field.annotation))
        if FREE_TEXT in field.metadata or FREE_TEXT in kinds:
            found.append((name, True))
        elif any(isinstance(k, type) and issubclass(k, BaseModel) for k in kinds):
            found.append((name, False))
    return tuple(found)


def _kinds(annotation: Any) -> Iterator[Any]:
    """What an annotation is made of: its types and the marks on them."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        yield from marks
        yield from _kinds(inner)
        return
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _nested(value: Any) -> Iterator[str]:
    for part in value if isinstance(value, list) else (value,):
        yield from texts_of(part)


def replaced(value: Any, replace: Replace) -> Any:
    """A JSON value whose strings are what ``replace`` makes of them; keys stay.

    The same object when nothing changes.
    """
    if isinstance(value, str):
        other = replace(value)
        return value if other == value else other
    if isinstance(value, dict):
        items = {key: replaced(item, replace) for key, item in value.items()}
        return value if all(items[key] is value[key] for key in value) else items
    if isinstance(value, list):
        return _same(value, [replaced(item, replace) for item in value])
    return value


def _replaced_nested(value: Any, replace: Replace) -> Any:
    if isinstance(value, list):
        return _same(value, [with_texts(part, replace) for part in value])
    return with_texts(value, replace)


def _same(value: list[Any], items: list[Any]) -> list[Any]:
    is_same = all(one is other for one, other in zip(value, items, strict=True))
    return value if is_same else items
