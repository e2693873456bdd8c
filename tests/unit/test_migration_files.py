"""Migration files: grammar, splitting, checksums, order, and that they hold what classes ask."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.errors import MigrationError
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph import migrations
from memgraph.graph.cypher_files import cypher_root, split_statements
from memgraph.graph.ddl import create_statement, desired_items
from memgraph.graph.migrations import (
    Applied,
    Migration,
    load,
    migrations_directory,
    next_file_name,
    pending,
)


def texts(source: str) -> list[str]:
    return [s.text for s in split_statements(source)]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("RETURN 1;\nRETURN 2;\n", ["RETURN 1", "RETURN 2"]),
        ("RETURN 1; RETURN 2", ["RETURN 1", "RETURN 2"]),
        ("RETURN 'a;b';\nRETURN 2", ["RETURN 'a;b'", "RETURN 2"]),
        ('RETURN "a;\nb"; RETURN 2;', ['RETURN "a;\nb"', "RETURN 2"]),
        ("MATCH (n:`a;``;b`) RETURN n; RETURN 2", ["MATCH (n:`a;``;b`) RETURN n", "RETURN 2"]),
        (r"RETURN 'it\'s; so'; RETURN 2", [r"RETURN 'it\'s; so'", "RETURN 2"]),
        (r"RETURN 'a\\'; RETURN ';'", [r"RETURN 'a\\'", "RETURN ';'"]),
        (r"MATCH (n:`a\`); RETURN 2", [r"MATCH (n:`a\`)", "RETURN 2"]),
        (
            "RETURN 1 // one; not two;\n + 1; RETURN 2",
            ["RETURN 1 // one; not two;\n + 1", "RETURN 2"],
        ),
        ("RETURN 1 /* ;\n// ; */ + 1; RETURN 2", ["RETURN 1 /* ;\n// ; */ + 1", "RETURN 2"]),
        ("RETURN 4 / 2; RETURN '//'; RETURN '/*'", ["RETURN 4 / 2", "RETURN '//'", "RETURN '/*'"]),
        ("// it's a comment;\nRETURN 1;", ["// it's a comment;\nRETURN 1"]),
        ("CALL { RETURN 1 AS x } RETURN x;\n\n ; ;\n", ["CALL { RETURN 1 AS x } RETURN x"]),
        ("RETURN 'open; end", ["RETURN 'open; end"]),
        ("RETURN 1 /* open; end", ["RETURN 1 /* open; end"]),
        (" \n", []),
        ("", []),
    ],
)
def test_statements_end_at_separators_only(source: str, parts: list[str]) -> None:
    assert texts(source) == parts


def test_comments_alone_are_kept_but_not_run() -> None:
    first, last = split_statements("// head\n\nRETURN 1;\n// tail; of the file\n/* end */")
    assert (first.line, first.is_executable) == (3, True)
    assert not last.is_executable


literals = st.one_of(
    st.text(alphabet="ab;/*'\"\n").map(lambda s: "`" + s.replace("`", "``") + "`"),
    st.text(alphabet="ab;/*`\"\\'\n").map(
        lambda s: "'" + s.replace("\\", "\\\\").replace("'", "\\'") + "'"
    ),
    st.text(alphabet="ab;/*`'\\\"\n").map(
        lambda s: '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
    st.text(alphabet="ab;'\"`").map(lambda s: f"// {s}\n1"),
    st.text(alphabet="ab;'\"`\n").map(lambda s: f"/* {s} */"),
)
statements = st.lists(literals, min_size=1, max_size=4).map(
    lambda parts: f"RETURN {' + '.join(parts)} AS x"
)


@given(st.lists(statements, max_size=5), st.booleans())
def test_whatever_is_quoted_or_commented_does_not_split(parts: list[str], last: bool) -> None:
    assert texts(";\n".join(parts) + (";" if last else "")) == parts


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        (directory / f"{name}.cypher").write_bytes(text.encode())
    return directory


@pytest.mark.parametrize(
    ("text", "checksum"),
    [
        # The values are those of the Java tool's own tests (CypherBasedMigrationTest).
        ("MATCH (n) RETURN count(n) AS n;\n" * 3, "1902097523"),
        ("MATCH (n) RETURN count(n) AS n;\r\n" * 3, "1902097523"),
        ("MATCH (n) RETURN count(n) AS n;\r" * 3, "1902097523"),
        ("MATCH (n)\nRETURN count(n) AS n;\n" * 3, "1916418554"),
        ("MATCH (n)\r\nRETURN count(n) AS n;\r\n" * 3, "1916418554"),
    ],
)
def test_checksums_are_those_of_the_java_tool(tmp_path: Path, text: str, checksum: str) -> None:
    (migration,) = load(write(tmp_path, V1__Count=text))
    assert migration.checksum == checksum
    assert len(migration.executable) == 3


def test_files_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, V10__Ten="RETURN 1", V9__Nine_words_here="RETURN 1", V0100__Hundred="RETURN 1")
    (tmp_path / "README.md").write_text("not a migration")
    loaded = load(tmp_path)
    assert [m.version for m in loaded] == ["9", "10", "0100"]
    assert loaded[0].description == "Nine words here"
    assert loaded[0].source == "V9__Nine_words_here.cypher"
    assert next_file_name(tmp_path, "Index: of the tags") == "V101__Index_of_the_tags.cypher"


def test_the_first_file_has_number_one(tmp_path: Path) -> None:
    assert next_file_name(tmp_path, "First") == "V001__First.cypher"
    with pytest.raises(MigrationError, match="description"):
        next_file_name(tmp_path, " — ")


@pytest.mark.parametrize("name", ["V1_Index", "v1__Index", "V1.2__Index", "1__Index", "V__Index"])
def test_a_name_against_the_grammar_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, **{name: "RETURN 1"})
    with pytest.raises(MigrationError, match=re.escape(name)):
        load(tmp_path)


def test_a_version_used_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, V1__One="RETURN 1", V001__Other="RETURN 1")
    with pytest.raises(MigrationError, match="same version"):
        load(tmp_path)


def test_unreadable_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="no directory"):
        load(tmp_path / "nowhere")
    (tmp_path / "V1__Latin.cypher").write_bytes(b"RETURN '\xe9'")
    with pytest.raises(MigrationError, match="UTF-8"):
        load(tmp_path)


def migration(version: str, text: str = "RETURN 1") -> Migration:
    statements = tuple(split_statements(text))
    return Migration(version, "Test", f"V{version}__Test.cypher", statements)


def link(of: Migration) -> Applied:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Applied(of.version, of.description, of.source, of.checksum, at, 1, "me", "neo4j")


ONE, TWO, THREE = migration("001"), migration("002"), migration("003")


def test_what_is_not_applied_is_pending() -> None:
    assert pending([], [ONE, TWO]) == [ONE, TWO]
    assert pending([link(ONE)], [ONE, TWO, THREE]) == [TWO, THREE]
    assert pending([link(ONE)], [ONE]) == []


def test_an_edited_file_is_refused_with_both_checksums() -> None:
    edited = migration("001", "RETURN 2")
    with pytest.raises(MigrationError) as caught:
        pending([link(ONE)], [edited, TWO])
    for part in (edited.source, edited.checksum, ONE.checksum):
        assert part in caught.value.message


def test_a_missing_applied_file_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"V002__Test\.cypher was applied, but"):
        pending([link(ONE), link(TWO)], [ONE])


def test_a_new_file_before_an_applied_one_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"V002__Test\.cypher is new, but"):
        pending([link(ONE), link(THREE)], [ONE, TWO, THREE])


def test_the_kept_files_make_what_the_classes_ask_for() -> None:
    made: dict[str, str] = {}
    for file in load(migrations_directory()):
        for statement in file.executable:
            text = " ".join(re.sub(r"//[^\n]*", "", statement.text).split())
            words = r"(?:CYPHER 25 )?(CREATE|DROP) [A-Z ]+ (`.+?`|\w+) IF (?:NOT )?EXISTS"
            if schema := re.match(words, text):
                verb, name = schema.groups()
                assert (name in made) is (verb == "DROP"), f"{file.source}: {name}"
                if verb == "CREATE":
                    made[name] = text
                else:
                    del made[name]
    asked = {i.name: create_statement(i) for i in desired_items(GraphModel.of(NODE_CLASSES))}
    assert made == {name: " ".join(text.split()) for name, text in asked.items()}


def test_a_user_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def getuser() -> str:
        raise OSError("no name for this number")

    monkeypatch.setattr("getpass.getuser", getuser)
    assert migrations._operating_user() == "unknown"


def test_the_cypher_directory_is_found() -> None:
    assert migrations_directory() == cypher_root() / "migrations"
    assert migrations_directory().is_dir()
