"""Inheritance between template versions: resolve, refuse cycles, say what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from memgraph.domain.errors import InvalidInput, TemplateCycle, shown
from memgraph.domain.templates.text import Section, Template, parse
from memgraph.domain.templates.variables import VariableSpec, by_name, check_length

MAX_INHERITANCE = 32
"""Most levels below a root template."""

TemplateKey = tuple[str, str]
"""(template_id, version)."""
K = TypeVar("K", bound=Hashable)

_TEXT = "template_text"


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """What inheritance has to know of one version."""

    template_id: str
    version: str
    text: str
    variables: tuple[VariableSpec, ...] = ()
    parent: TemplateKey | None = None


@dataclass(frozen=True, slots=True)
class ResolvedTemplate:
    """A version with all that it inherits."""

    text: str
    variables: tuple[VariableSpec, ...]
    depth: int
    """Levels below the root template."""
    override_sections: tuple[str, ...]
    """Sections of its parent that this version itself replaces, in its own order."""


def resolve(versions: Mapping[TemplateKey, TemplateVersion], key: TemplateKey) -> ResolvedTemplate:
    """Apply the chain from the root down to ``key``.

    A text of nothing but sections and blanks replaces the sections of the same name;
    any other text replaces the whole. Variables replace those of the same name.
    Raises TemplateCycle, and InvalidInput for an unknown version or section and for
    a chain that is too long.
    """
    root, *children = _chain(versions, key)
    template, variables = parse(root.text), by_name(root.variables)
    overridden: tuple[str, ...] = ()
    for child in children:
        template, overridden = _inherit(template, parse(child.text))
        variables |= by_name(child.variables)
    text = str(template)
    check_length(_TEXT, text)
    return ResolvedTemplate(text, tuple(variables.values()), len(children), overridden)


def _chain(
    versions: Mapping[TemplateKey, TemplateVersion], key: TemplateKey
) -> list[TemplateVersion]:
    """List the versions from the root to ``key``."""
    chain: dict[TemplateKey, TemplateVersion] = {}
    at: TemplateKey | None = key
    while at is not None:
        if at in chain:
            raise TemplateCycle("parent", "leads back to a template version of its own line")
        if at not in versions:
            raise InvalidInput("parent" if chain else "template_id", "is no known version")
        chain[at] = versions[at]
        at = versions[at].parent
    if len(chain) > MAX_INHERITANCE + 1:
        raise InvalidInput("parent", f"must be at most {MAX_INHERITANCE} levels below a root")
    return list(reversed(chain.values()))


def _inherit(parent: Template, child: Template) -> tuple[Template, tuple[str, ...]]:
    """Merge two texts and name the sections that the child replaces."""
    if not all(isinstance(p, Section) or (isinstance(p, str) and p.isspace()) for p in child.parts):
        return child, ()
    overrides = child.sections
    for name in overrides:
        if name not in parent.sections:
            raise InvalidInput(_TEXT, f"replaces section {shown(name)}, which its parent has not")
    parts = (overrides.get(p.name, p) if isinstance(p, Section) else p for p in parent.parts)
    return Template(tuple(parts)), tuple(overrides)


def check_acyclic(parents: Mapping[K, K]) -> None:
    """Raise TemplateCycle if following the parents from any key leads back to it."""
    cycle = find_cycle(parents)
    if cycle:
        raise TemplateCycle("parent", f"closes a cycle of {len(cycle)} template versions")


def find_cycle(parents: Mapping[K, K]) -> tuple[K, ...]:
    """Find the keys of one cycle, each before its parent; empty if there is none. Linear."""
    walk_of: dict[K, int] = {}
    for walk, start in enumerate(parents):
        key = start
        while key in parents and key not in walk_of:
            walk_of[key] = walk
            key = parents[key]
        if walk_of.get(key) == walk:
            cycle = [key]
            while (parent := parents[cycle[-1]]) != key:
                cycle.append(parent)
            return tuple(cycle)
    return ()


def text_diff_summary(old: str, new: str) -> str:
    """Say how many lines came and went, such as ``+12 -3 lines``. Linear: moved lines stay."""
    if old == new:
        return "no change"
    before, after = (Counter(text.splitlines(keepends=True)) for text in (old, new))
    added, removed = (after - before).total(), (before - after).total()
    return f"+{added} -{removed} lines" if added or removed else "lines moved"
