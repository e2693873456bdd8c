"""Agents, templates, models, documents, users, tools, API keys."""

from __future__ import annotations

from typing import Unpack

from memgraph_sdk import arguments as args
from memgraph_sdk import models
from memgraph_sdk.group import Group
from memgraph_sdk.transport import path_of


class Agents(Group):
    """Agents and human desks."""

    def create(self, **agent: Unpack[args.NewAgent]) -> models.Agent:
        """Register an agent, or say more of a known one."""
        return self._transport.post("/agents", agent, models.Agent)

    def get(self, agent_id: str, /, **choice: Unpack[args.AsOf]) -> models.Agent:
        """Read an agent with its configuration and how it does; with `as_of` how it was set up."""
        return self._transport.get(path_of("agents", agent_id), models.Agent, choice)

    def update(
        self, agent_id: str, /, *, if_match: str | None = None, **changes: Unpack[args.AgentChange]
    ) -> models.Agent:
        """Change what is said; what is left out stays, also inside `config`."""
        path = path_of("agents", agent_id)
        return self._transport.patch(path, changes, models.Agent, if_match=if_match)

    def network(self) -> models.AgentNetwork:
        """Tell who hands over to whom, in which loops, and where work piles up."""
        return self._transport.get("/agents/network", models.AgentNetwork)


class Templates(Group):
    """Prompt templates: a version is written once, a change is a new version."""

    def create(self, **template: Unpack[args.NewTemplate]) -> models.PromptTemplate:
        """Register the first version of a template."""
        return self._transport.post("/templates", template, models.PromptTemplate)

    def get(
        self, template_id: str, /, **choice: Unpack[args.TemplateParameters]
    ) -> models.PromptTemplate:
        """Read a version, the highest unless you say which."""
        path = path_of("templates", template_id)
        return self._transport.get(path, models.PromptTemplate, choice)

    def create_version(
        self, template_id: str, /, **version: Unpack[args.NewTemplateVersion]
    ) -> models.PromptTemplate:
        """Register the version after the highest one. What is left out is as it was there."""
        path = path_of("templates", template_id, "versions")
        return self._transport.post(path, version, models.PromptTemplate)

    def list_versions(self, template_id: str, /) -> list[models.TemplateVersionItem]:
        """List the versions, the highest first."""
        path = path_of("templates", template_id, "versions")
        return self._transport.get(path, models.TemplateVersions).items

    def instantiate(
        self, template_id: str, /, **instance: Unpack[args.NewInstance]
    ) -> models.Instance:
        """Fill a template with values and record what it makes as a prompt of a session."""
        path = path_of("templates", template_id, "instantiate")
        return self._transport.post(path, instance, models.Instance)

    def genealogy(self, template_id: str, /) -> list[models.GenealogyItem]:
        """Tell of each version its parent, children, use, cost and scores."""
        path = path_of("templates", template_id, "genealogy")
        return self._transport.get(path, models.Genealogy).items


class Models(Group):
    """Models, their versions, and what they cost when."""

    def create(self, **model: Unpack[args.NewModel]) -> models.Model:
        """Register a model, with a version and its prices if you like."""
        return self._transport.post("/models", model, models.Model)

    def get(self, model_id: str, /, **choice: Unpack[args.AsOf]) -> models.Model:
        """Read a model with the version and the prices that are valid, or were at `as_of`."""
        return self._transport.get(path_of("models", model_id), models.Model, choice)

    def create_version(
        self, model_id: str, /, **version: Unpack[args.NewModelVersion]
    ) -> models.ModelVersion:
        """Add a version. A new price is a new version."""
        path = path_of("models", model_id, "versions")
        return self._transport.post(path, version, models.ModelVersion)

    def list_versions(self, model_id: str, /) -> list[models.ModelVersion]:
        """List the versions, latest `valid_from` first."""
        path = path_of("models", model_id, "versions")
        return self._transport.get(path, models.ModelVersions).items


class ContextDocuments(Group):
    """Documents that prompts refer to."""

    def get(self, context_id: str, /) -> models.ContextDocument:
        """Read what is known of a document."""
        return self._transport.get(path_of("context-documents", context_id), models.ContextDocument)


class Users(Group):
    """People who start sessions."""

    def get(self, user_id: str, /) -> models.User:
        """Read a user."""
        return self._transport.get(path_of("users", user_id), models.User)


class Tools(Group):
    """What agents call."""

    def stats(self, **choice: Unpack[args.ToolParameters]) -> list[models.ToolStatistics]:
        """Tell how often tools are called, fail, are retried; those that fail most first."""
        return self._transport.get("/tools/stats", models.ToolStatisticsList, choice).items


class Tenants(Group):
    """Your tenant."""

    def get(self) -> models.TenantSummary:
        """Read your tenant with the limits in force."""
        return self._transport.get("/tenants/self", models.TenantSummary)


class ApiKeys(Group):
    """Keys of your tenant."""

    def create(self, **key: Unpack[args.NewApiKey]) -> models.IssuedApiKey:
        """Make a key. It can do no more than you may, and is shown only now."""
        return self._transport.post("/api-keys", key, models.IssuedApiKey)

    def list(self) -> list[models.ApiKey]:
        """List the keys, newest first, revoked ones too."""
        return self._transport.get("/api-keys", models.ApiKeys).items

    def revoke(self, key_id: str, /) -> None:
        """Revoke a key at once."""
        self._transport.delete(path_of("api-keys", key_id))
