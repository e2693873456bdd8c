"""A LlamaIndex query engine: a retriever of two documents and one call of a model."""

from __future__ import annotations

from contextlib import suppress

from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.llms.openai import OpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

from tests.recording.exporting import provider
from tests.recording.model import Reply
from tests.recording.programs.desk import DOCUMENTS
from tests.recording.told import Told

_KNOWN_MODEL = "gpt-4o-mini"
_ASKED = [("May parcels come back?", "Within 30 days."), ("And food?", "Not when it is open.")]
_LIMITED = "Is anybody there?"

REPLIES = [
    *(Reply(said, prompt_tokens=60, completion_tokens=6) for _, said in _ASKED),
    Reply(error=(429, "Rate limit reached for the organization of nobody.")),
]


class Handbook(BaseRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [
            NodeWithScore(node=TextNode(id_=d["id"], text=d["content"]), score=d["score"])
            for d in DOCUMENTS
        ]


def openinference(told: Told, url: str) -> None:
    LlamaIndexInstrumentor().instrument(tracer_provider=provider())
    model = OpenAI(model=_KNOWN_MODEL, api_base=f"{url}/v1", api_key="none", max_retries=0)
    engine = RetrieverQueryEngine.from_args(Handbook(), llm=model)
    told.converse("s-desk", "u-ada")
    with using_attributes(session_id="s-desk", user_id="u-ada"):
        for asked, _ in _ASKED:
            _query(told, engine, asked)
    told.converse()
    with suppress(Exception):
        _query(told, engine, _LIMITED)


def _query(told: Told, engine: RetrieverQueryEngine, asked: str) -> None:
    """The prompt is what the engine makes of the question, which the call of the model tells."""
    found = [
        {"id": d["id"], "text_start": d["content"][:40], "score": d["score"]} for d in DOCUMENTS
    ]
    retrieval = told.step("retrieval", documents=found)
    before = len(told.steps)
    try:
        engine.query(asked)
    finally:
        [call] = told.steps[before:]
        retrieval["prompt"] = call["input"][-1]["text"]
        answer = call["output"] and call["output"]["text"]
        told.turn(retrieval["prompt"], answer)
