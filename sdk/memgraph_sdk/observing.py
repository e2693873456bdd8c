"""Where this process records what it observes: one recorder, from `configure` or the environment.

Nothing is read, connected or started before the first observation.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial

from memgraph_sdk.call import Call, Scope, Silence
from memgraph_sdk.client import API_KEY_VARIABLE, URL_VARIABLE
from memgraph_sdk.content import Content
from memgraph_sdk.delivery import Delivery
from memgraph_sdk.observation import Arguments, Nowhere, Observation, Sink, Subject, current
from memgraph_sdk.recorder import Bounds, Recorder, Stats
from memgraph_sdk.tool_run import ToolRun

SILENCE = Silence(Sink(Nowhere(), Content()), {}, None, {})
_CLASSES: dict[str, type[Observation]] = {"call": Call, "tool": ToolRun, "scope": Scope}
log = logging.getLogger("memgraph_sdk")


class _State:
    """What is configured. Asked without the lock, which only changes take."""

    lock = threading.Lock()
    is_settled = False
    """False until somebody configured it, or the environment was read."""
    sink: Sink | None = None


def configure(
    *,
    url: str | None = None,
    api_key: str | None = None,
    enabled: bool = True,
    application: str | None = None,
    capture_content: bool = True,
    redact: Callable[[str], str] | None = None,
    bounds: Bounds | None = None,
) -> None:
    """Say where observations go, and what may be told of contents.

    ``url`` and ``api_key`` are those of ``MEMGRAPH_URL`` and ``MEMGRAPH_API_KEY`` unless they
    are given; without both, and with ``enabled=False``, nothing is recorded. ``redact`` is
    called with every text, on the thread of the host; where it raises, the text is withheld.
    What an earlier configuration recorded is still delivered, in the background.
    """
    content = Content(capture_content, redact)
    with _State.lock:
        before, _State.sink = _State.sink, None
        if enabled:
            _State.sink = _sink_to(url, api_key, content, application, bounds or Bounds())
        _State.is_settled = True
        retired = _recorder_of(before)
    if retired is not None:
        retired.close()


def flush(timeout_s: float = 10.0) -> bool:
    """Wait until all that was observed so far is delivered or given up; False when it is not."""
    recorder = _recorder()
    return True if recorder is None else recorder.flush(timeout_s)


def stats() -> Stats:
    """Count what became of the events of this process since it was configured."""
    recorder = _recorder()
    return Stats() if recorder is None else recorder.stats()


def current_call() -> Call:
    """The observed call that goes on here; where there is none, one that records nothing."""
    here = current()
    around = () if here is None else here.around()
    return next((o for o in around if isinstance(o, Call)), SILENCE)


def begin(subject: Subject, arguments: Callable[[], Arguments] = dict) -> Observation:
    """Begin to observe. Never raises: what cannot be observed is silence."""
    sink = _State.sink if _State.is_settled else _from_environment()
    if sink is None:
        return SILENCE
    try:
        class_ = _CLASSES[subject.get("kind", "call")]
        return class_(sink.for_(subject), subject, current(), arguments())
    except Exception as error:  # noqa: BLE001 - the host must not notice
        sink.recorder.fault(error)
        return SILENCE


def _from_environment() -> Sink | None:
    """Read the environment, once."""
    with _State.lock:
        if not _State.is_settled:
            _State.sink = _sink_to(None, None, Content(), None, Bounds())
            _State.is_settled = True
        return _State.sink


def _sink_to(
    url: str | None,
    api_key: str | None,
    content: Content,
    application: str | None,
    bounds: Bounds,
) -> Sink | None:
    url = url or os.environ.get(URL_VARIABLE)
    api_key = api_key or os.environ.get(API_KEY_VARIABLE)
    if not url or not api_key:
        log.info("nothing is recorded: %s and %s are not set", URL_VARIABLE, API_KEY_VARIABLE)
        return None
    recorder = Recorder(partial(Delivery, url, api_key, bounds.timeout_s), bounds)
    told = Content(content.is_captured, content.redact, recorder.fault)
    return Sink(recorder, told, application)


def _recorder() -> Recorder | None:
    return _recorder_of(_State.sink)


def _recorder_of(sink: Sink | None) -> Recorder | None:
    return sink.recorder if sink is not None and isinstance(sink.recorder, Recorder) else None
