"""Who may do what: permissions, the roles that bundle them, and the caller of an operation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Permission(StrEnum):
    """What an operation asks for; also the scopes that narrow an API key."""

    READ_CONVERSATIONS = "conversations:read"
    WRITE_CONVERSATIONS = "conversations:write"
    DELETE_CONVERSATIONS = "conversations:delete"
    WRITE_SCORES = "scores:write"
    READ_AGENTS = "agents:read"
    WRITE_AGENTS = "agents:write"
    READ_TEMPLATES = "templates:read"
    WRITE_TEMPLATES = "templates:write"
    READ_MODELS = "models:read"
    WRITE_MODELS = "models:write"
    READ_USERS = "users:read"
    READ_STATISTICS = "statistics:read"
    MANAGE_ACCESS = "access:manage"
    MANAGE_DEAD_LETTERS = "dead_letters:manage"


class Role(StrEnum):
    SERVICE = "service"
    DATA_SCIENTIST = "data_scientist"
    ML_ENGINEER = "ml_engineer"
    COMPLIANCE_OFFICER = "compliance_officer"
    ADMIN = "admin"


_READ_ALL = frozenset(p for p in Permission if p.value.endswith(":read"))
_READ = _READ_ALL - {Permission.READ_USERS}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    # A program that sends what happens and asks about it.
    Role.SERVICE: _READ
    | {
        Permission.WRITE_CONVERSATIONS,
        Permission.WRITE_SCORES,
        Permission.WRITE_AGENTS,
        Permission.WRITE_TEMPLATES,
    },
    Role.DATA_SCIENTIST: _READ | {Permission.WRITE_SCORES},
    Role.ML_ENGINEER: _READ
    | {
        Permission.WRITE_SCORES,
        Permission.WRITE_AGENTS,
        Permission.WRITE_TEMPLATES,
        Permission.WRITE_MODELS,
    },
    Role.COMPLIANCE_OFFICER: _READ_ALL | {Permission.DELETE_CONVERSATIONS},
    Role.ADMIN: frozenset(Permission),
}
"""What each role may do."""

_READS: dict[str, Permission] = {
    **dict.fromkeys(
        (
            *("Session", "Prompt", "Response", "ToolInvocation", "ContextDocument", "Score"),
            *("Application", "Invocation", "PerformanceMetric", "Error"),
        ),
        Permission.READ_CONVERSATIONS,
    ),
    **dict.fromkeys(("Agent", "AgentConfiguration"), Permission.READ_AGENTS),
    "PromptTemplate": Permission.READ_TEMPLATES,
    **dict.fromkeys(("Model", "ModelVersion", "ModelPrice", "Schema"), Permission.READ_MODELS),
    "User": Permission.READ_USERS,
    **dict.fromkeys(("Rollup", "Anomaly"), Permission.READ_STATISTICS),
}


def permission_to_read(label: str) -> Permission:
    """What reading nodes of a class asks for; of classes that are not named the highest."""
    return _READS.get(label, Permission.MANAGE_ACCESS)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the tenant and the rights come from the credential and from nowhere else."""

    tenant_id: str
    subject: str
    """Key id of an API key, or the subject of a token."""
    roles: frozenset[Role]
    permissions: frozenset[Permission] = field(default_factory=frozenset)

    @classmethod
    def of(
        cls, tenant_id: str, subject: str, roles: Iterable[Role], scopes: Iterable[Permission] = ()
    ) -> Principal:
        """A principal with what its roles allow, narrowed to ``scopes`` when there are any."""
        roles = frozenset(roles)
        allowed = frozenset(p for role in roles for p in PERMISSIONS[role])
        scopes = frozenset(scopes)
        return cls(tenant_id, subject, roles, allowed & scopes if scopes else allowed)

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions
