"""Observe a call of a model: what it was asked, what it answered, what it used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from memgraph_sdk import answered, asked
from memgraph_sdk.answered import Answered, ToolCall
from memgraph_sdk.asked import Asked
from memgraph_sdk.content import MISSING, WITHHELD, Content
from memgraph_sdk.encoding import MAX_TEXT_CHARS
from memgraph_sdk.ids import new_id
from memgraph_sdk.observation import (
    Arguments,
    Awaited,
    Observation,
    Sink,
    Subject,
    error_of,
    present,
    quiet,
)
from memgraph_sdk.streamed import Streamed
from memgraph_sdk.tool_run import error_text, tool_event

MAX_DOCUMENTS = 1_000


class Call(Observation):
    """A call of a model. Its methods say what happens; none of them raises.

    ``prompt_id``, ``response_id`` and ``session_id`` are those that it is recorded under.
    """

    def __init__(
        self, sink: Sink, subject: Subject, parent: Observation | None, arguments: Arguments
    ) -> None:
        super().__init__(sink, subject, parent, arguments)
        self.prompt_id = new_id()
        self.response_id = new_id()
        self._asked = Asked()
        self._answer = Answered()
        self._streamed: Streamed | None = None
        self._documents: list[dict[str, Any]] = []
        self._error: dict[str, Any] | None = None
        self._metadata: dict[str, Any] = {}
        self._parameters = asked.parameters_of(arguments)
        self._model = subject.get("model") or asked.word(arguments.get("model"))
        self._latency_ms: int | None = None
        self._ttft_ms: int | None = None
        self._is_told = False
        self._is_cut = False

    @quiet
    def called(self, arguments: Arguments, find: Callable[[], Any] | None) -> None:
        """Take the arguments of a function, and how to find the prompt among them."""
        self._is_told = True
        self._asked = asked.asked_by(arguments) if find is None else asked.asked(find())

    @quiet
    def prompt(self, prompt: Any, /, **parameters: Any) -> None:
        """Say what the model is asked, as a text or as messages. Time counts from here."""
        self._is_told = True
        self._asked = asked.asked(prompt)
        self._parameters |= asked.parameters_of(parameters)
        self.restart()

    @quiet
    def response(self, response: Any, /, *, finish_reason: str | None = None) -> None:
        """Say what the model answered, as a text or as an object of a vendor's client."""
        self._is_told = True
        self._take(answered.answered(response))
        self._answer.finish_reason = answered.reason(finish_reason) or self._answer.finish_reason
        self._latency_ms = self.elapsed_ms()

    @quiet
    def chunk(self, piece: Any, /) -> None:
        """Say a piece of what the model answers, as it comes."""
        self._is_told = True
        if self._streamed is None:
            self._streamed = Streamed()
        if self._streamed.add(piece):
            self._latency_ms = self.elapsed_ms()
            if self._ttft_ms is None:
                self._ttft_ms = self._latency_ms

    @quiet
    def tokens(
        self,
        prompt: int | None = None,
        completion: int | None = None,
        *,
        cached: int | None = None,
    ) -> None:
        """Say how many tokens were used."""
        self._is_told = True
        counts = (answered.count(n) for n in (prompt, completion, cached))
        prompt_tokens, completion_tokens, cached_tokens = counts
        self._answer.take(
            Answered(
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                cached_tokens=cached_tokens,
            )
        )

    @quiet
    def tool(
        self,
        name: str,
        /,
        *,
        parameters: Any = None,
        result: Any = None,
        error: BaseException | str | None = None,
        duration_ms: float | None = None,
        id: str | None = None,
    ) -> None:
        """Say that a tool has run; without an id, the one that the model asked for by name."""
        self._is_told = True
        awaited = None if id else self.claim(name)
        event = tool_event(
            self.sink.content,
            name,
            id or (new_id() if awaited is None else awaited.invocation_id),
            self.response_id if awaited is None else awaited.response_id,
            parameters=parameters,
            result=result,
            error=None if error is None else error_text(error, self.sink.content),
            duration_ms=None if duration_ms is None else round(duration_ms),
        )
        self.sink.put(event)

    @quiet
    def document(
        self,
        id: str,
        /,
        content: str | None = None,
        *,
        score: float | None = None,
        title: str | None = None,
        uri: str | None = None,
        kind: str | None = None,
        chunk_id: str | None = None,
    ) -> None:
        """Say that the model is given a document."""
        self._is_told = True
        told = self.sink.content
        document = present(
            id=str(id),
            content=told.text(content),
            relevance_score=None if score is None else float(score),
            title=told.text(title, 1_000),
            uri=uri,
            kind=kind,
            chunk_id=chunk_id,
        )
        if len(self._documents) < MAX_DOCUMENTS:
            self._documents.append(document)

    @quiet
    def handoff(self, to_agent: str, /, *, reason: str | None = None) -> None:
        """Say that the response hands the conversation over to another agent."""
        self._is_told = True
        event = present(
            type="handoff",
            event_id=new_id(),
            timestamp=datetime.now(UTC),
            response_id=self.response_id,
            to_agent_id=to_agent,
            from_agent_id=self.agent_id,
            handoff_reason=self.sink.content.text(reason, 20_000),
        )
        self.sink.put(event)

    @quiet
    def error(self, error: BaseException | str, /, *, code: str | None = None) -> None:
        """Say that the call failed, though nothing is raised."""
        self._is_told = True
        self._error = error_of(error, code, self.sink.content)

    @quiet
    def metadata(self, /, **metadata: Any) -> None:
        """Say more about the response, in words of your own."""
        self._metadata |= metadata

    # What follows is said by drivers and by what is inside.

    @quiet
    def returned(self, result: Any) -> None:
        """Take the result of the function."""
        extract = self.subject.get("response")
        said = result if extract is None else extract(result)
        # What the function told of itself is not overruled by what it happens to return.
        if self._answer.text is None and not self._answer.tool_calls:
            self._take(answered.answered(said))
        if self._latency_ms is None:
            self._latency_ms = self.elapsed_ms()

    @quiet
    def failed(self, error: BaseException) -> None:
        """Take what the host raised."""
        if self._error is None:
            # Its words may raise an error of their own.
            self._error = {"type": type(error).__name__}
            self._error = error_of(error, None, self.sink.content)

    @quiet
    def cut(self) -> None:
        """Take that nobody wanted the rest of the stream."""
        self._is_cut = True

    def adopt(self) -> str | None:
        """This response, unless this is but a frame of other calls, or over without a word."""
        if self._is_told:
            return self.response_id
        if self.inner_response_id is not None or self.is_over:
            return self.inner_response_id
        self._is_told = True
        return self.response_id

    @quiet
    def finish(self) -> None:
        """Record the call, once. A frame in which only others spoke records nothing."""
        if self.is_over:
            return
        self.is_over = True
        is_frame = self._is_frame()
        if not is_frame:
            self._record()
        if self.parent is not None:
            self.parent.awaited.extend(self.awaited)
            self.parent.inner_response_id = (
                self.inner_response_id if is_frame else self.response_id
            ) or self.parent.inner_response_id

    def _is_frame(self) -> bool:
        """Say whether only others spoke."""
        return not self._is_told and (self._error is None or self.inner_response_id is not None)

    def _take(self, answer: Answered) -> None:
        self._answer.take(answer)
        for call in answer.tool_calls:
            call.id = call.id or new_id()
            self.awaited.append(Awaited(call.name, call.id, self.response_id))

    def _record(self) -> None:
        if self._streamed is not None:
            streamed = self._streamed.answer()
            streamed.take(self._answer)
            self._answer = Answered()
            self._take(streamed)
        # Made before the response, which is later.
        prompt = self._prompt_event()
        response = self._response_event()
        self.sink.put(*([] if prompt is None else [prompt]), response)

    def _prompt_event(self) -> dict[str, Any] | None:
        """The prompt, unless it is the one of before, to which the model answers again."""
        text = self._asked.text
        before = None if self.parent is None else self.parent.inner_prompt
        is_same = before is not None and before[0] == text and not self._documents
        if before is not None and is_same and self._asked.informed_by:
            self.prompt_id = before[1]
            return None
        if self.parent is not None and text is not None:
            self.parent.inner_prompt = (text, self.prompt_id)
        content = self.sink.content
        told = content.text(text) or None
        session = present(
            id=self.session_id,
            user_id=self.user_id,
            application_id=self.subject.get("application") or self.sink.application,
        )
        metadata = {**content.about(text, told), **present(function=self.subject.get("name"))}
        history = [
            {"role": m["role"], "content": words}
            for m in self._asked.history
            if (words := content.text(m["content"])) is not None
        ]
        return present(
            type="prompt",
            event_id=self.prompt_id,
            timestamp=self.started_at,
            prompt=present(text=told or _instead(text), metadata=metadata),
            session=session,
            model=self._model_ref(self._model, parameters=self._parameters),
            context=present(conversation_history=history, documents=self._documents),
            tags=list(self.subject.get("tags", ())),
            agent_id=self.agent_id,
            classification=self.subject.get("classification"),
            derived=None if told else ["text"],
        )

    def _response_event(self) -> dict[str, Any]:
        answer, content = self._answer, self.sink.content
        text = content.text(answer.text)
        metadata = {
            **(content.value(self._metadata) or {}),
            **content.about(answer.text, text),
            **present(closed_early=self._is_cut or None),
        }
        said = present(
            text=text,
            finish_reason=answer.finish_reason if self._error is None else "error",
            tool_calls=[_tool_call(call, content) for call in answer.tool_calls if call.name],
            metadata=metadata,
        )
        event = present(
            type="response",
            event_id=self.response_id,
            timestamp=datetime.now(UTC),
            prompt_event_id=self.prompt_id,
            model=self._model_ref(answer.model or self._model),
            usage=_usage(answer),
            metrics=self._metrics(),
            error=self._error,
            informed_by=list(dict.fromkeys(self._asked.informed_by)),
            tags=list(self.subject.get("tags", ())),
            classification=self.subject.get("classification"),
        )
        # Needed even if there is nothing to say.
        return {**event, "response": said}

    def _metrics(self) -> dict[str, Any]:
        latency_ms = self.elapsed_ms() if self._latency_ms is None else self._latency_ms
        return present(latency=latency_ms, ttft=self._ttft_ms)

    def _model_ref(self, model: str | None, **more: Any) -> dict[str, Any] | None:
        if model is None:
            return None
        return present(id=model, provider=self.subject.get("provider"), **more)


class Scope(Call):
    """Says session, user and agent to what is inside, and is itself not recorded."""

    def adopt(self) -> str | None:
        """The response that ended last in here."""
        return self.inner_response_id

    def _is_frame(self) -> bool:
        return True


class Silence(Call):
    """Stands for a call that is not observed: nobody wants to know."""

    is_on = False


def _instead(text: str | None) -> str:
    """What is told in place of a text that is not told."""
    return MISSING if text is None else WITHHELD


def _tool_call(call: ToolCall, content: Content) -> dict[str, Any]:
    arguments = content.text(call.arguments, MAX_TEXT_CHARS)
    return {"id": call.id, "function": present(name=call.name, arguments=arguments)}


def _usage(answer: Answered) -> Mapping[str, int] | None:
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    if prompt is None or completion is None:
        return None
    return present(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        cached_tokens=answer.cached_tokens,
    )
