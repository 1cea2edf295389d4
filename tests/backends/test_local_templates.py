"""Chat templates of other families: a held reply is its call however it is spelt, and a free one is read."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestra_app.backends.base import Request, State
from orchestra_app.backends.local import LocalBackend, LocalModel
from orchestra_app.backends.reading import read_reply
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import BackendError, ConfigError
from orchestra_app.core.message import Message, Offer, Reply, ToolCall
from orchestra_app.core.task import Task
from orchestra_app.core.trace import alias_of
from tests.backends.conftest import RecordingPurse, catalog
from tests.tiny_qwen3 import tiny_model, tiny_tokenizer

MISTRAL = """
{{- bos_token }}
{%- for message in messages %}
{%- if message.role == "user" %}
{%- if tools and loop.last %}{{ "[AVAILABLE_TOOLS] " + tools | tojson + "[/AVAILABLE_TOOLS]" }}{% endif %}
{{- "[INST] " + message.content + "[/INST]" }}
{%- elif message.tool_calls %}
{{- "[TOOL_CALLS] [" }}
{%- for call in message.tool_calls %}
{%- if call.id | length != 9 %}{{ raise_exception("Tool call IDs should have length 9!") }}{% endif %}
{{- '{"name": "' + call.function.name + '", "arguments": ' + call.function.arguments | tojson }}
{{- ', "id": "' + call.id + '"}' }}
{%- endfor %}
{{- "]" + eos_token }}
{%- else %}{{ " " + message.content + eos_token }}
{%- endif %}
{%- endfor %}
"""
ENDS = {"llama3": "<|eot_id|>", "llama3_2": "<|eot_id|>", "gemma4_v5": "<turn|>", "mistral": "</s>"}
READ = ("qwen2_5", "qwen3", "qwen3_5_think", "qwen3_5_nothink", "glm4moe", "llama3_2", "mistral")
SPELT = ("gemma4_v5", "lfm2_2_5", "gptoss")
"""Templates whose calls only a held reply makes."""
ALIASES = ("answer-1", "answer-math-1")
SCHEMA = {
    "type": "function",
    "function": {
        "name": "answer",
        "description": "Gives the answer.",
        "parameters": {
            "type": "object",
            "properties": {"model": {"type": "string", "enum": list(ALIASES)}},
            "required": ["model"],
        },
    },
}


def speaking(template: str) -> LocalModel:
    """A tiny model with the chat template of a family, as trl has it."""
    package = find_spec("trl")
    assert package is not None and package.origin is not None
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"eos_token": ENDS.get(template, "<|im_end|>"), "bos_token": "<s>"})
    file = Path(package.origin).parent / "chat_templates" / f"{template}.jinja"
    tokenizer.chat_template = MISTRAL if template == "mistral" else file.read_text(encoding="utf-8")
    return tiny_model(tokenizer=tokenizer)


async def ask(model: LocalModel, *, constrained: bool, tools: bool = True, seed: int = 0) -> Reply:
    offered = (Offer(tool_schema=SCHEMA, choices=dict.fromkeys(ALIASES, 0.5)),)
    state = State(task=Task(id="t", question="6 * 7?"), catalog=catalog(), offered=offered, seed=seed)
    request = Request(
        name="tiny",
        model=Model(backend="local"),
        messages=(Message(role="user", content="6 * 7?"),),
        state=state,
        tools=(SCHEMA,) if tools else (),
        max_output=400,
        temperature=4.0,
        min_output=1,
        role="policy",
    )
    backend = LocalBackend(lambda: model, constrained=constrained)
    try:
        return await backend.complete(request, RecordingPurse())
    finally:
        await backend.close()


@pytest.mark.parametrize("template", [*READ, *SPELT])
async def test_a_held_reply_is_the_call_that_it_was_spelt_from(template):
    model, found = speaking(template), set()
    for seed in range(6):
        reply = await ask(model, constrained=True, seed=seed)
        (call,) = reply.calls
        assert call.name == "answer" and call.id and not reply.text and reply.finish == "stop"
        assert reply.tokens is not None
        assert model.text(reply.tokens.completion_ids) == model.spell(call)
        found.add(alias_of(call))
    assert found == set(ALIASES)


@pytest.mark.parametrize("template", READ)
async def test_a_free_reply_in_the_templates_own_form_is_read(template):
    model = speaking(template)
    assert model.unreadable is None
    call = ToolCall(id="", name="answer", arguments={"model": "answer-math-1"})
    reply = read_reply({"message": {"content": model.spell(call)}}, tools=[SCHEMA])
    assert [(made.name, made.arguments) for made in reply.calls] == [(call.name, call.arguments)]
    assert reply.text == reply.reasoning == ""
    assert (await ask(model, constrained=False)).tokens is not None


@pytest.mark.parametrize("template", SPELT)
async def test_a_free_policy_whose_calls_would_not_be_read_is_refused_with_what_to_do(template):
    with pytest.raises(BackendError, match="form that is not read here: set constrained = true"):
        await ask(speaking(template), constrained=False)


async def test_a_template_without_tools_is_refused_for_a_policy_and_serves_an_expert():
    model = speaking("llama3")
    with pytest.raises(BackendError, match="does not show tools"):
        await ask(model, constrained=False)
    with pytest.raises(BackendError, match="does not write calls"):
        await ask(model, constrained=True)
    with pytest.raises(ConfigError, match="choose a model whose template takes tools"):
        model.spell(ToolCall(id="", name="answer", arguments={"model": "answer-1"}))
    assert (await ask(model, constrained=False, tools=False)).tokens is not None
