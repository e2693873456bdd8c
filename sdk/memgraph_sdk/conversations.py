"""Sessions, prompts, responses, tool invocations, handoffs, scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from memgraph_sdk import arguments as args
from memgraph_sdk import models
from memgraph_sdk.group import Group
from memgraph_sdk.transport import path_of


class Sessions(Group):
    """Conversations and jobs."""

    def create(self, **session: Unpack[args.NewSession]) -> models.Session:
        """Begin a session. The same again changes nothing."""
        return self._transport.post("/sessions", session, models.Session)

    def get(self, session_id: str, /) -> models.Session:
        """Read a session."""
        return self._transport.get(path_of("sessions", session_id), models.Session)

    def update(
        self,
        session_id: str,
        /,
        *,
        if_match: str | None = None,
        **changes: Unpack[args.SessionChange],
    ) -> models.Session:
        """Change what is said; what is left out stays."""
        path = path_of("sessions", session_id)
        return self._transport.patch(path, changes, models.Session, if_match=if_match)

    def close(self, session_id: str, /) -> models.Session:
        """Close a session, for good."""
        return self.update(session_id, is_active=False)

    def list(self, **filters: Unpack[args.SessionParameters]) -> Iterator[models.Session]:
        """List sessions, newest first, page after page. `limit` is that of a page."""
        for page in self._transport.pages("/sessions", models.SessionPage, filters):
            yield from page.items

    def delete(self, session_id: str, /) -> None:
        """Delete a session with everything that belongs to it, for good."""
        self._transport.delete(path_of("sessions", session_id))

    def thread(self, session_id: str, /, **bounds: Unpack[args.ThreadParameters]) -> models.Thread:
        """Read the conversation: prompts, responses, tools, handoffs, scores, in order."""
        path = path_of("sessions", session_id, "thread")
        return self._transport.get(path, models.Thread, bounds)


class Prompts(Group):
    """What was asked of models."""

    def create(self, session_id: str, /, **prompt: Unpack[args.NewPrompt]) -> models.Created:
        """Record a prompt in a session. The session comes to be with its first prompt."""
        path = path_of("sessions", session_id, "prompts")
        return self._transport.post(path, prompt, models.Created)

    def get(self, prompt_id: str, /) -> models.Prompt:
        """Read a prompt with what it points to."""
        return self._transport.get(path_of("prompts", prompt_id), models.Prompt)

    def list(
        self, session_id: str, /, **filters: Unpack[args.TaggedParameters]
    ) -> Iterator[models.Prompt]:
        """List the prompts of a session, page after page."""
        path = path_of("sessions", session_id, "prompts")
        for page in self._transport.pages(path, models.PromptPage, filters):
            yield from page.items


class Responses(Group):
    """What models answered."""

    def create(self, prompt_id: str, /, **response: Unpack[args.NewResponse]) -> models.Created:
        """Record a response to a prompt. The prompt may arrive later."""
        path = path_of("prompts", prompt_id, "responses")
        return self._transport.post(path, response, models.Created)

    def get(self, response_id: str, /) -> models.Response:
        """Read a response with what it points to."""
        return self._transport.get(path_of("responses", response_id), models.Response)

    def list(
        self, prompt_id: str, /, **filters: Unpack[args.TaggedParameters]
    ) -> Iterator[models.Response]:
        """List the responses to a prompt, page after page."""
        path = path_of("prompts", prompt_id, "responses")
        for page in self._transport.pages(path, models.ResponsePage, filters):
            yield from page.items


class ToolInvocations(Group):
    """Calls of tools."""

    def create(
        self, response_id: str, /, **invocation: Unpack[args.NewToolInvocation]
    ) -> models.Created:
        """Record that a response calls a tool."""
        path = path_of("responses", response_id, "tool-invocations")
        return self._transport.post(path, invocation, models.Created)

    def get(self, invocation_id: str, /) -> models.ToolInvocation:
        """Read a tool invocation."""
        path = path_of("tool-invocations", invocation_id)
        return self._transport.get(path, models.ToolInvocation)

    def update(
        self,
        invocation_id: str,
        /,
        *,
        if_match: str | None = None,
        **change: Unpack[args.ToolChange],
    ) -> models.ToolInvocation:
        """Say how it went on: success, failed, or pending for another attempt."""
        path = path_of("tool-invocations", invocation_id)
        return self._transport.patch(path, change, models.ToolInvocation, if_match=if_match)

    def list(
        self, response_id: str, /, **filters: Unpack[args.ListParameters]
    ) -> Iterator[models.ToolInvocation]:
        """List the tool calls of a response, page after page."""
        path = path_of("responses", response_id, "tool-invocations")
        for page in self._transport.pages(path, models.ToolInvocationPage, filters):
            yield from page.items


class Handoffs(Group):
    """Who handed a conversation over to whom."""

    def create(self, response_id: str, /, **handoff: Unpack[args.NewHandoff]) -> models.Created:
        """Record that a response hands the conversation over to an agent."""
        path = path_of("responses", response_id, "handoffs")
        return self._transport.post(path, handoff, models.Created)


class Scores(Group):
    """Judgements of responses, prompts and sessions."""

    def create(self, **score: Unpack[args.NewScore]) -> models.Created:
        """Record a score of a response, a prompt or a session."""
        return self._transport.post("/scores", score, models.Created)

    def get(self, score_id: str, /) -> models.Score:
        """Read a score with what it judges."""
        return self._transport.get(path_of("scores", score_id), models.Score)
