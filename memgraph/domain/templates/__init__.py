"""Prompt templates as pure rules: versions, variables, text, inheritance. No storage."""

from memgraph.domain.templates.inheritance import (
    MAX_INHERITANCE,
    ResolvedTemplate,
    TemplateKey,
    TemplateVersion,
    check_acyclic,
    find_cycle,
    resolve,
    text_diff_summary,
)
from memgraph.domain.templates.text import (
    Section,
    Template,
    Variable,
    check_declared,
    extract_variables,
    normalise_placeholders,
    parse,
    render,
)
from memgraph.domain.templates.variables import (
    MAX_CHECKED_CHARS,
    MAX_PATTERN_CHARS,
    VariableSpec,
    VariableType,
    validate_bindings,
)
from memgraph.domain.templates.versions import MAX_VERSION_PART, SemanticVersion, VersionLevel

__all__ = [
    "MAX_CHECKED_CHARS",
    "MAX_INHERITANCE",
    "MAX_PATTERN_CHARS",
    "MAX_VERSION_PART",
    "ResolvedTemplate",
    "Section",
    "SemanticVersion",
    "Template",
    "TemplateKey",
    "TemplateVersion",
    "Variable",
    "VariableSpec",
    "VariableType",
    "VersionLevel",
    "check_acyclic",
    "check_declared",
    "extract_variables",
    "find_cycle",
    "normalise_placeholders",
    "parse",
    "render",
    "resolve",
    "text_diff_summary",
    "validate_bindings",
]
