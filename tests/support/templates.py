"""Templates and variables for the tests of templates."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from memgraph.domain.templates import (
    TemplateKey,
    TemplateVersion,
    VariableSpec,
)

CANARY = "canary-7f3a"


def spec(name: str = "x", **rest: Any) -> VariableSpec:
    return VariableSpec(name=name, **rest)


names = st.from_regex(r"[A-Za-z_é](?:[A-Za-z0-9_.\- ]{0,8}[A-Za-z0-9_.\-])?", fullmatch=True)


MARKS = ["{{a}}", "{{ b c }}", "${a}", "${b c: d}", "{{#section s}}", "{{/section}}"]


# Few letters, so that braces, dollars and marks meet in every way.
soups = st.lists(
    st.sampled_from([*"{}$:a \n/#", "{{", "}}", "{{{{", "${", "b c", *MARKS]),
    max_size=14,
).map("".join)


def version(
    text: str, *variables: VariableSpec, key: str = "t", parent: str | None = None
) -> TemplateVersion:
    return TemplateVersion(key, "1.0.0", text, variables, (parent, "1.0.0") if parent else None)


def keyed(*versions: TemplateVersion) -> dict[TemplateKey, TemplateVersion]:
    return {(v.template_id, v.version): v for v in versions}


ROOT = version(
    "Be kind.{{#section task}}Say {{x}}.{{/section}}{{#section tail}}Bye.{{/section}}",
    spec(),
    spec("y", default="1"),
    key="root",
)
