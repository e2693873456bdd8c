"""Prompt collections: one version of a named prompt per record, oldest first.

A record has ``name``, ``version`` (1, 2, …), ``committed_at``, ``prompt`` and perhaps
``contributor``; whatever else it has is kept as metadata. Each becomes a template
version ``<version>.0.0`` that points to the next lower version of its name so far.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import TemplateEvent, first_problem
from memgraph.domain.events.base import Name, Text, Timestamp
from memgraph.domain.events.registry import TemplateBody
from memgraph.domain.templates import (
    MAX_VERSION_PART,
    VariableSpec,
    check_declared,
    extract_variables,
    normalise_placeholders,
    parse,
)
from memgraph.services.ingest.formats.json_stream import Raw, parse_object, raw_records
from memgraph.services.ingest.formats.records import FormatOptions, Problem, Record

_TELLING = {"prompt", "version", "committed_at"}
_SLUG_CHARS = 80
_MINOR_WORDS = frozenset(
    ("a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)


def matches(record: Mapping[str, Any]) -> bool:
    """Say whether it is a version of a prompt."""
    return record.keys() >= _TELLING


def read(path: Path, options: FormatOptions) -> Iterator[Record | Problem]:
    """Yield a template event per record. Holds the version numbers of every name."""
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for raw in raw_records(path):
        yield raw if isinstance(raw, Problem) else _read(raw, versions)


def template_id(name: str) -> str:
    """Name a template in an address, from its name alone; different names never meet.

    ``Linux Terminal`` is ``linux-terminal``. A name that such words cannot give back
    (other capitals, signs, scripts) has a digest behind a dot, which no word holds.
    """
    slug = "-".join(re.findall("[a-z0-9]+", name.lower()))
    if _title(slug) == name and len(slug) <= _SLUG_CHARS:
        return slug
    digest = blake2b(name.encode(), digest_size=6).hexdigest()
    return f"{slug[:_SLUG_CHARS].strip('-') or 'prompt'}.{digest}"


def _title(slug: str) -> str:
    """Write the words of a slug as a heading."""
    first, *others = slug.split("-")
    words = (word if word in _MINOR_WORDS else word.capitalize() for word in others)
    return " ".join((first.capitalize(), *words))


class _PromptVersion(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", hide_input_in_errors=True)

    name: Name
    version: Annotated[int, Field(ge=0, le=MAX_VERSION_PART)]
    committed_at: Annotated[Timestamp, Field(strict=False)]
    prompt: Annotated[Text, Field(min_length=1)]
    contributor: Annotated[Name | None, BeforeValidator(lambda value: value or None)] = None


def _read(raw: Raw, versions: defaultdict[str, list[int]]) -> Record | Problem:
    try:
        record = _PromptVersion.model_validate(parse_object(raw))
        id_ = template_id(record.name)
        event = _event(record, id_, versions.get(id_, []))
    except ValidationError as error:
        return Problem(raw.position, first_problem(error))
    except InvalidInput as error:
        return Problem(raw.position, error)
    _note(versions[id_], record.version)
    return Record.of(event, raw.position)


def _note(seen: list[int], version: int) -> None:
    at = bisect_left(seen, version)
    if seen[at : at + 1] != [version]:
        seen.insert(at, version)


def _event(record: _PromptVersion, id_: str, seen: list[int]) -> TemplateEvent:
    version = f"{record.version}.0.0"
    before = bisect_left(seen, record.version)
    text, variables = _in_grammar(record.prompt)
    return TemplateEvent(
        event_id=f"{id_}@{version}",
        timestamp=record.committed_at,
        template=TemplateBody(
            id=id_,
            version=version,
            name=record.name,
            text=text,
            variables=list(variables) or None,
            author=record.contributor,
            previous_version=f"{seen[before - 1]}.0.0" if before else None,
            metadata=_metadata(record, text),
        ),
    )


def _in_grammar(prompt: str) -> tuple[str, tuple[VariableSpec, ...]]:
    """Write a text in the grammar of templates. What cannot be read as marks stays literal."""
    if "{" not in prompt:
        return prompt, ()
    text, variables = normalise_placeholders(prompt), extract_variables(prompt)
    try:
        check_declared(parse(text), variables)
    except InvalidInput:
        return prompt.replace("{{", "{{{{"), ()
    return text, variables


def _metadata(record: _PromptVersion, text: str) -> dict[str, Any] | None:
    metadata = {k: v for k, v in (record.model_extra or {}).items() if v is not None}
    if text != record.prompt:
        metadata["original_text_sha256"] = sha256(record.prompt.encode()).hexdigest()
    return metadata or None
