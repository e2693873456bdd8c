"""Record what a real library sends, with what the program says that it did.

Run by hand, in an environment of its own for each file in ``requirements``, from the root of
the repository: ``python -m tests.recording.record NAME...``. Everything runs on loopback.
Writes bodies and ``scenario.json`` into ``tests/data/otlp/NAME``; ``not_in_spans.json`` there is
written by hand, and says of each fact that was not sent why.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path

from tests.recording.told import Json, Told

DATA = Path(__file__).parents[1] / "data" / "otlp"
_LATEST = "gen_ai_latest_experimental"
_MODE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"


@dataclass(frozen=True)
class Scenario:
    """A program under a library."""

    title: str
    program: str
    """Module and function below ``programs``."""
    conventions: str
    libraries: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


_GENAI = ("openai", "opentelemetry-instrumentation-genai-openai", "opentelemetry-util-genai")
_OPENLLMETRY = ("openai", "opentelemetry-instrumentation-openai", "traceloop-sdk")
SCENARIOS = {
    "openinference_openai": Scenario(
        "the openai SDK and a hand-made agent, one request per span",
        "openinference:openai",
        "OpenInference",
        ("openai", "openinference-instrumentation-openai", "openinference-instrumentation"),
    ),
    "openinference_anthropic": Scenario(
        "the anthropic SDK, which makes spans of its own, and a hand-made agent",
        "openinference:anthropic",
        "OpenInference",
        ("anthropic", "openinference-instrumentation-anthropic", "openinference-instrumentation"),
    ),
    "genai_attributes": Scenario(
        "the openai SDK, content in attributes of spans",
        "genai:openai",
        "GenAI",
        _GENAI,
        {_OPT_IN: _LATEST, _MODE: "span_only"},
    ),
    "genai_details": Scenario(
        "the openai SDK, content in one log record per call",
        "genai:openai",
        "GenAI",
        _GENAI,
        {_OPT_IN: _LATEST, _MODE: "event_only"},
    ),
    "genai_messages": Scenario(
        "the openai SDK, content in one log record per message, as in GenAI 1.30",
        "genai_130:openai",
        "GenAI 1.30",
        ("openai", "opentelemetry-instrumentation-openai-v2"),
        {_MODE: "true"},
    ),
    "openllmetry_openai": Scenario(
        "the openai SDK and a hand-made agent",
        "openllmetry:openai",
        "OpenLLMetry",
        _OPENLLMETRY,
    ),
    "openllmetry_anthropic": Scenario(
        "the anthropic SDK and a hand-made agent",
        "openllmetry:anthropic",
        "OpenLLMetry",
        ("anthropic", "opentelemetry-instrumentation-anthropic", "traceloop-sdk"),
    ),
    "openllmetry_040": Scenario(
        "the openai SDK and a hand-made agent, as of 0.40",
        "openllmetry:openai",
        "OpenLLMetry 0.40",
        _OPENLLMETRY,
    ),
    "openllmetry_langchain": Scenario(
        "a LangChain agent with two tools, one of them with a retriever",
        "langchain_agent:openllmetry",
        "OpenLLMetry",
        ("langchain", "langgraph", "opentelemetry-instrumentation-langchain", "traceloop-sdk"),
    ),
    "openinference_llama_index": Scenario(
        "a LlamaIndex query engine over a retriever",
        "llama_index_query:openinference",
        "OpenInference",
        (
            "llama-index-core",
            "llama-index-llms-openai",
            "openinference-instrumentation-llama-index",
        ),
    ),
}


def record(name: str) -> None:
    """Run a program and write what it sent."""
    from tests.recording.collector import Body, collecting
    from tests.recording.model import Model, serving

    scenario = SCENARIOS[name]
    told, bodies = Told(), list[Body]()
    module_name, _, function = scenario.program.partition(":")
    with collecting(bodies) as collector:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
        from tests.recording.exporting import flush

        module = import_module(f"tests.recording.programs.{module_name}")
        with serving(Model(told, module.REPLIES)) as url:
            getattr(module, function)(told, url)
            flush()
    versions = {library: metadata.version(library) for library in scenario.libraries}
    versions["opentelemetry-sdk"] = metadata.version("opentelemetry-sdk")
    folder = DATA / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.binpb"):
        path.unlink()
    requests: list[Json] = []
    for number, body in enumerate(bodies):
        file = f"{number:03}.binpb"
        (folder / file).write_bytes(body.data)
        said = {"path": body.path, "bytes": len(body.data), "neutralised_paths": body.neutralised}
        requests.append({"file": file} | said | {"headers": body.headers})
    written = {
        "scenario": name,
        "title": scenario.title,
        "python": platform.python_version(),
        "libraries": versions,
        "conventions": scenario.conventions,
        "environment": dict(scenario.environment),
        "requests": requests,
        "expected": told.expected(),
    }
    text = json.dumps(written, indent=1, ensure_ascii=False)
    (folder / "scenario.json").write_text(text + "\n")
    unsent = folder / "not_in_spans.json"
    if not unsent.exists():
        unsent.write_text("[]\n")


def main(names: list[str]) -> None:
    """Record one here, several each in a process of its own: libraries patch what they find."""
    for name in names:
        scenario = SCENARIOS[name]
        variables = dict(scenario.environment) | {"OTEL_SERVICE_NAME": "desk"}
        if len(names) == 1 and variables.items() <= os.environ.items():
            record(name)
        else:
            command = [sys.executable, "-m", "tests.recording.record", name]
            subprocess.run(command, env=os.environ | variables, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
