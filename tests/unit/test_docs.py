"""The pages hold: generated ones have not drifted, links lead somewhere, commands exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from memgraph.cli import cli
from memgraph.derive.__main__ import DOCS, current_pages, drifted
from memgraph.derive.markdown import anchor
from memgraph.derive.pages import COMMAND
from memgraph.domain.errors import MemgraphError
from memgraph.settings import CLIENT_VARIABLES, variables

ROOT = Path(__file__).parents[2]
READ_FIRST = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [ROOT / name for name in READ_FIRST] + sorted((ROOT / "docs").glob("*.md"))
SHELLS = ("console", "sh", "shell", "bash")
PARSER = MarkdownIt().enable("table")
GUIDE = ROOT / "docs" / "api-guide.md"

every_page = pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])


@cache
def tokens(page: Path) -> list[Token]:
    return PARSER.parse(page.read_text())


def inline(page: Path) -> Iterator[Token]:
    """Links, code and text inside of paragraphs, headings and cells."""
    return (child for token in tokens(page) for child in token.children or ())


def fences(page: Path, *languages: str) -> list[str]:
    found = [t for t in tokens(page) if t.type == "fence" and t.info.split(maxsplit=1)[:1]]
    return [t.content for t in found if t.info.split()[0] in languages]


@cache
def anchors(page: Path) -> set[str]:
    """Anchors of the headings as GitHub makes them: the second of a name ends in -1."""
    found: dict[str, int] = {}
    listed = tokens(page)
    for heading, text in pairwise(listed):
        if heading.type == "heading_open":
            name = anchor("".join(c.content for c in text.children or ()))
            found[name] = found.get(name, -1) + 1
    return {f"{name}-{i}" if i else name for name, last in found.items() for i in range(last + 1)}


def shell_lines(page: Path) -> Iterator[str]:
    """What a reader would type: after ``$`` where there is output as well."""
    for block in fences(page, *SHELLS):
        lines = block.replace("\\\n", " ").splitlines()
        prompted = [line[2:] for line in lines if line.startswith("$ ")]
        yield from whole_commands(prompted or lines)


def whole_commands(lines: Iterable[str]) -> Iterator[str]:
    """Lines joined until their quotes are closed."""
    text = ""
    for line in lines:
        text = f"{text}\n{line}" if text else line
        try:
            shlex.split(text, comments=True)
        except ValueError:
            continue
        yield text
        text = ""
    assert text == "", "a quote stays open"


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """Arguments of every call of ``program``, typed in blocks or named in the text."""
    named = (t.content for t in inline(page) if t.type == "code_inline")
    for line in (*shell_lines(page), *(n for n in named if n.startswith(f"{program} "))):
        for first, *arguments in calls(line):
            if first == program and "…" not in arguments:
                yield arguments


def calls(line: str) -> Iterator[list[str]]:
    """The calls of a shell line, comments and assignments left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    call: list[str] = []
    for word in (*lexer, ";"):
        if set(word) <= set("|&;<>()"):
            yield from [call] if call else []
            call = []
        elif call or not re.fullmatch(r"\w+=.*", word):
            call.append(word)


def check_call(arguments: list[str]) -> None:
    """Walk the groups and parse. Raises UsageError for what the command line does not have."""
    command: click.Command = cli
    context = click.Context(cli, info_name="memgraph")
    while isinstance(command, click.Group):
        # Options of the group itself, then the name of a command.
        _, arguments, _ = command.make_parser(context).parse_args(list(arguments))
        if not arguments:
            return
        name, found, arguments = command.resolve_command(context, list(arguments))
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    given, _, _ = command.make_parser(context).parse_args(list(arguments))
    if not arguments:
        return  # the name alone stands for the command
    for parameter in command.get_params(context):
        value = given.get(parameter.name)
        if isinstance(parameter.type, click.Path) or parameter.name not in given:
            continue  # files of examples need not be there
        parameter.process_value(context, value)


def test_generated_pages_have_not_drifted() -> None:
    assert drifted(DOCS, current_pages()) == [], (
        f"run `{COMMAND}` (or `make docs`) to write them anew"
    )


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    targets = [str(t.attrs.get("href") or t.attrs.get("src") or "") for t in inline(page)]
    assert [t for t in targets if t and not urlsplit(t).scheme and not leads(page, t)] == []


def leads(page: Path, target: str) -> bool:
    """Whether a relative link is to a file of the project and a heading of it."""
    parts = urlsplit(target)
    path = (page.parent / unquote(parts.path) if parts.path else page).resolve()
    is_ours = path.is_relative_to(ROOT) or path == page
    return is_ours and path.exists() and (not parts.fragment or parts.fragment in anchors(path))


@every_page
def test_every_memgraph_command_exists(page: Path) -> None:
    wrong = []
    for arguments in commands(page, "memgraph"):
        try:
            check_call(arguments)
        except click.UsageError as error:
            wrong.append(f"memgraph {shlex.join(arguments)}: {error.format_message()}")
    assert wrong == []


@every_page
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for arguments in commands(page, "make"):
        assert {a for a in arguments if "=" not in a and a[0] != "-"} <= targets


@every_page
def test_every_setting_exists(page: Path) -> None:
    known = {name for name, _ in variables()}
    known |= {f"{name}_FILE" for name in known} | CLIENT_VARIABLES
    named = set(re.findall(r"\bMEMGRAPH_[A-Z0-9_]*[A-Z0-9]\b", page.read_text()))
    assert {name for name in named if not name.startswith("MEMGRAPH_TEST_")} <= known


@every_page
def test_python_compiles_and_what_it_imports_exists(page: Path) -> None:
    for block in fences(page, "python"):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), node.module


def problem_classes(base: type[MemgraphError] = MemgraphError) -> Iterator[type[MemgraphError]]:
    for error in base.__subclasses__():
        yield error
        yield from problem_classes(error)


def test_the_guide_says_what_to_do_about_every_problem() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (`.+?`) \| (.+) \|$", GUIDE.read_text(), re.MULTILINE)
    told = {
        (code, int(status), "`Retry-After`" in what)
        for status, codes, what in rows
        for code in re.findall(r"`(\w+)`", codes)
    }
    all_of_them = {(e.code, e.http_status, e.retryable) for e in problem_classes()}
    # The rest is nothing that a caller could mend or wait for.
    assert told == {p for p in all_of_them if p[1] < 500 or p[2]}


def test_the_requests_of_a_page_are_among_those_that_are_sent() -> None:
    with_requests = [p for p in PAGES if list(commands(p, "curl"))]
    assert with_requests == [ROOT / "README.md", GUIDE]


def test_the_pages_give_the_checks_something_to_do() -> None:
    readme, notebook = ROOT / "README.md", ROOT / "docs" / "notebook.md"
    assert len(list(commands(readme, "memgraph"))) >= 3
    assert len(list(commands(readme, "make"))) >= 2
    assert len(fences(notebook, "python")) >= 2


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("memgraph digset", "No such command 'digset'"),
        ("memgraph stats --jsno", "No such option"),
        ("memgraph lineage response x --direction sideways", "is not one of"),
        ("memgraph schema dif", "No such command 'dif'"),
        ("memgraph lineage response", "Missing parameter: id_"),
        ("memgraph --versoin", "No such option"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, fault: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console\n$ FOO=bar {line} | less\noutput\n```\n")
    (arguments,) = commands(page, "memgraph")
    with pytest.raises(click.UsageError, match=fault):
        check_call(arguments)


def test_a_lost_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two` & three\n# Again\n# Again\n[x](gone.md) [y](#again-1) [z](#no)\n")
    assert anchors(page) == {"one-two--three", "again", "again-1"}
    with pytest.raises(AssertionError, match=r"gone\.md.*#no"):
        test_links_lead_somewhere(page)
