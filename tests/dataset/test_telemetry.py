"""Traces reach a collector as spans that other tools can read."""

import logging
from pathlib import Path

import pytest
from fake_collector import FakeCollector, attributes

from orchestra_app.config import Settings
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import Preference
from orchestra_app.core.trace import Trace
from orchestra_app.dataset.spans import spans
from orchestra_app.dataset.telemetry import Telemetry
from orchestra_app.orchestrator.loop import Options
from orchestra_app.rehearsal.questions import questions
from orchestra_app.workspace import Workspace

KINDS = {"AGENT", "LLM", "TOOL", "RETRIEVER"}


async def _asked(workspace: Workspace) -> Trace:
    question = next(each for each in questions("train") if each.kind == "fact")
    orchestrator = await workspace.orchestrator("rehearsal", "mid-pipeline")
    task = workspace.task(question.text, preference=Preference())
    options = Options(trace_id="t1")
    return [trace async for _, trace in workspace.rollout(orchestrator, task, options)][-1]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return Settings(home=tmp_path / "home")


async def test_a_finished_run_arrives_as_spans_that_sum_to_its_bill(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    with FakeCollector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url)
        workspace = await Workspace.open(settings)
        trace = await _asked(workspace)
        await workspace.aclose()
    assert collector.services == {"orchestra"} and len({span.trace_id for span in collector.spans}) == 1
    ids = {span.span_id for span in collector.spans}
    roots = [span for span in collector.spans if not span.parent_span_id]
    assert len(ids) == len(collector.spans) == len(spans(trace))
    assert len(roots) == 1 and all(
        span.parent_span_id in ids for span in collector.spans if span not in roots
    )
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in collector.spans)
    found = [attributes(span) for span in collector.spans]
    assert {each["openinference.span.kind"] for each in found} <= KINDS
    whole = attributes(roots[0])
    assert whole["input.value"] == trace.task.question and whole["output.value"] == trace.answer
    assert whole["llm.cost.total"] == trace.cost > 0
    charged = [each["llm.cost.total"] for each in found if "orchestra.estimated" in each]
    assert sum(charged) == pytest.approx(trace.cost)
    assert whole["gen_ai.usage.input_tokens"] == trace.usage.input_tokens
    tools = [each["gen_ai.tool.name"] for each in found if "gen_ai.tool.name" in each]
    assert tools == [call.name for _, call, _ in trace.calls]
    assert any(each.get("retrieval.documents.0.document.content") for each in found)


async def test_sending_twice_gives_the_same_ids(settings: Settings):
    workspace = await Workspace.open(settings)
    trace = await _asked(workspace)
    await workspace.aclose()
    seen = []
    for _ in range(2):
        with FakeCollector() as collector:
            telemetry = Telemetry(collector.url)
            await telemetry.send([trace])
            await telemetry.aclose()
            seen.append([(span.trace_id, span.span_id, span.name) for span in collector.spans])
    assert seen[0] == seen[1] != []


async def test_a_collector_that_refuses_loses_no_run_and_is_named_in_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    with FakeCollector(status=400) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url)
        workspace = await Workspace.open(settings)
        trace = await _asked(workspace)
        await workspace.aclose()
        assert trace.status == "answered"
        assert f"at {collector.url} (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) took no spans" in caplog.text
        assert "t1 was not sent" in caplog.text
        telemetry = Telemetry(collector.url.replace("//", "//me:secret@"))
        with pytest.raises(ConfigError, match=f"at {collector.url} took no spans"):
            await telemetry.send([trace])
        await telemetry.aclose()


async def test_no_key_reaches_the_collector(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    workspace = await Workspace.open(settings)
    trace = await _asked(workspace)
    await workspace.aclose()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    told = trace.model_copy(update={"answer": "It is sk-planted-0123456789."})
    with FakeCollector() as collector:
        telemetry = Telemetry(collector.url)
        await telemetry.send([told])
        await telemetry.aclose()
    assert collector.spans and b"planted" not in b"".join(
        span.SerializeToString() for span in collector.spans
    )


def test_an_address_that_cannot_be_one_is_refused():
    with pytest.raises(ConfigError, match="http://"):
        Telemetry("localhost:4318")
