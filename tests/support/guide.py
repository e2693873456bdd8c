"""Read the requests and answers of a page, and compare an answer with what came back.

A request is a block of `sh` with a call of curl; the block of `http` after it is its answer.
In an answer ``…`` stands for what is left out: members of an object, items of a list, lines, or
the end of a text.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from markdown_it import MarkdownIt

CUT = "…"
VARYING = frozenset(
    {"api_key", "key_id", "next_cursor", "request_id", "etag", "location", "sunset"}
    | {"gap_ms", "duration_ms", "average_seconds", "average_wait_seconds", "cursor"}
    | {"ratelimit", "x-request-id"}
)
"""Members and headers that are others in every run; only their types are compared."""

_VALUED = {"-X": "method", "--request": "method", "-H": "header", "--header": "header"}
_FLAGS = {"-i", "--include", "-N", "--no-buffer", "--compressed", "-s", "-S", "-sS"}
_ELEMENT = re.compile(r"\d+:[0-9a-f-]{36}:\d+")
"""How a lineage names its nodes."""
# Strings as they are; outside of them a lone cut becomes a member of its object or list.
_JSON_PART = re.compile(r'"(?:[^"\\]|\\.)*"|…(?=\s*})|…')


@dataclass(frozen=True)
class Request:
    """A call of curl, its variables filled in."""

    method: str
    url: str
    headers: dict[str, str]
    body: str | None


@dataclass(frozen=True)
class Answer:
    """What a page shows of an answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Exchange:
    """A request of a page with the answer that is shown for it; ``line`` finds it."""

    line: int
    command: str
    answer: str


def exchanges(page: str) -> Iterator[Exchange]:
    """Every request with its answer, in order. Raises ValueError for one without the other."""
    fences = [t for t in MarkdownIt().parse(page) if t.type == "fence"]
    asks = [t.info.strip() == "sh" and "curl " in t.content for t in fences]
    answers = [t.info.strip() == "http" for t in fences]
    for at, fence in enumerate(fences):
        line = (fence.map or [0])[0] + 1
        if asks[at] != (at + 1 < len(fences) and answers[at + 1]):
            raise ValueError(f"line {line}: a request and its answer stand together")
        if asks[at]:
            yield Exchange(line, fence.content, fences[at + 1].content)


def fences(page: str, language: str) -> list[str]:
    """The blocks of a language, in order."""
    found = MarkdownIt().parse(page)
    return [t.content for t in found if t.type == "fence" and t.info.strip() == language]


def read_request(command: str, variables: Mapping[str, str]) -> Request:
    """The request that a call of curl makes. Raises ValueError for what is not known here."""
    words = shlex.split(_expanded(command.replace("\\\n", " "), variables))
    if words[:1] != ["curl"]:
        raise ValueError("not a call of curl")
    method, url, body = "", "", None
    headers: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        if word in _FLAGS:
            continue
        if word == "--json":
            body = next(rest)
        elif _VALUED.get(word) == "method":
            method = next(rest)
        elif _VALUED.get(word) == "header":
            name, _, value = next(rest).partition(":")
            headers[name.strip()] = value.strip()
        elif word.startswith("-") or url:
            raise ValueError(f"{word}: not known")
        else:
            url = word
    if body is not None:
        headers = {"Content-Type": "application/json", **headers}
    return Request(method or ("GET" if body is None else "POST"), url, headers, body)


def _expanded(command: str, variables: Mapping[str, str]) -> str:
    """The command with its variables filled in; inside single quotes they are text."""
    parts = re.split(r"('[^']*')", command)
    return "".join(
        part if part.startswith("'") else re.sub(r"\$(\w+)", lambda m: variables[m[1]], part)
        for part in parts
    )


def read_answer(shown: str) -> Answer:
    """An answer as HTTP writes it: the status line, headers, an empty line, the body."""
    head, _, body = shown.partition("\n\n")
    status, *lines = head.strip().splitlines()
    headers = dict(line.split(": ", 1) for line in lines if line != CUT)
    found = re.fullmatch(r"HTTP/1\.1 (\d{3}) .+", status)
    if found is None:
        raise ValueError("an answer begins with its status line")
    return Answer(int(found[1]), {n.lower(): v for n, v in headers.items()}, body.strip())


def read_json(shown: str) -> Any:
    """JSON in which parts are left out."""

    def part(match: re.Match[str]) -> str:
        text = match[0]
        if text != CUT:
            return text
        is_member = shown[match.end() :].lstrip().startswith("}")
        return f'"{CUT}": null' if is_member else f'"{CUT}"'

    return json.loads(_JSON_PART.sub(part, shown))


@dataclass
class Comparison:
    """Differences between what is shown and what came; ``renamed`` are values that vary."""

    renamed: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def compare(self, shown: Any, came: Any, where: str = "") -> None:
        """Note what differs, by its place."""
        if isinstance(shown, dict) and isinstance(came, dict):
            self._objects(shown, came, where)
        elif isinstance(shown, list) and isinstance(came, list):
            self._lists(shown, came, where)
        elif isinstance(shown, str) and isinstance(came, str):
            self._texts(shown, came, where)
        elif not (_varies(where) and _are_numbers(shown, came)) and not _is_same(shown, came):
            self._differ(where, shown, came)

    def _objects(self, shown: Mapping[str, Any], came: Mapping[str, Any], where: str) -> None:
        expected = shown.keys() - {CUT}
        if expected - came.keys() or (CUT not in shown and came.keys() - expected):
            self._differ(f"{where} members", sorted(expected), sorted(came))
        for name in expected & came.keys():
            self.compare(shown[name], came[name], f"{where}.{name}")

    def _lists(self, shown: Sequence[Any], came: Sequence[Any], where: str) -> None:
        if CUT in shown:
            self._some(shown, came, where)
            return
        if len(shown) != len(came):
            self._differ(f"{where} length", len(shown), len(came))
        for at, (one, other) in enumerate(zip(shown, came, strict=False)):
            self.compare(one, other, f"{where}[{at}]")

    def _some(self, shown: Sequence[Any], came: Sequence[Any], where: str) -> None:
        """Each that is shown is among those that came."""
        for at, one in enumerate(shown):
            if one != CUT and not any(self._is_like(one, other, where) for other in came):
                self._differ(f"{where}[{at}]", one, "none like it")

    def _is_like(self, shown: Any, came: Any, where: str) -> bool:
        attempt = Comparison(dict(self.renamed))
        attempt.compare(shown, came, where)
        if not attempt.differences:
            self.renamed.update(attempt.renamed)
        return not attempt.differences

    def _texts(self, shown: str, came: str, where: str) -> None:
        if _varies(where) or _are_ids(shown, came):
            self.renamed[shown] = came
        elif shown == came or _are_times(shown, came):
            return
        elif not (shown.endswith(CUT) and came.startswith(shown.removesuffix(CUT))):
            self._differ(where, shown, came)

    def _differ(self, where: str, shown: Any, came: Any) -> None:
        self.differences.append(f"{where.lstrip('.')}: shown {shown!r}, came {came!r}")

    def compare_lines(self, shown: str, came: str) -> None:
        """Note which lines of a text did not come, in this order; ids of nodes may differ."""
        rest = iter(_lines(came))
        for line in _lines(shown):
            if line != CUT and line not in rest:
                self._differ("body", line, "no such line")


def _lines(text: str) -> list[str]:
    return [_ELEMENT.sub("NODE", line.strip()) for line in text.strip().splitlines()]


def rename(text: str, renamed: Mapping[str, str]) -> str:
    """The text with what an earlier answer showed replaced by what it was."""
    for shown, came in renamed.items():
        text = text.replace(shown, came)
    return text


def _varies(where: str) -> bool:
    return where.rpartition(".")[2].lower() in VARYING


def _is_same(shown: Any, came: Any) -> bool:
    """Equal, and not 1 for true."""
    return bool(shown == came) and isinstance(shown, bool) == isinstance(came, bool)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _are_times(*texts: str) -> bool:
    return all(_parses(datetime.fromisoformat, text) for text in texts)


def _are_ids(*texts: str) -> bool:
    return all(_parses(UUID, text) or _ELEMENT.fullmatch(text) for text in texts)


def _parses(read: Any, text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
