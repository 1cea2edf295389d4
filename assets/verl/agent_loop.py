"""An agent loop for verl that lets Orchestra conduct, and trains one turn of each rollout.

Every turn of Orchestra's packed protocol is a fresh prompt, so a rollout is no single token sequence. One
turn, drawn at random, stands for its rollout with the rollout's reward: on average that is the gradient of
the mean over its turns.
"""

import json
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import (
    AgentLoopBase,
    AgentLoopMetrics,
    AgentLoopOutput,
    register,
)

from orchestra_app.backends.base import Request
from orchestra_app.backends.reading import read_reply
from orchestra_app.core.catalog import Model
from orchestra_app.core.message import Reply, Tokens
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Trace
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.loop import Options, Orchestrator
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.scoring.match import matches
from orchestra_app.workspace import Workspace

HERE = Path(__file__).parent


class Served:
    """The policy under training as a backend: verl's servers take token ids and give token ids."""

    def __init__(self, server: Any, tokenizer: Any, sampling: dict[str, Any]):
        self._server, self._tokenizer, self._sampling = server, tokenizer, sampling
        self._request_id = uuid4().hex

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the reply to the packed prompt, with its tokens; it costs nothing."""
        prompt = self._tokenizer.apply_chat_template(
            [{"role": each.role, "content": each.content} for each in request.messages],
            tools=list(request.tools),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
        output = await self._server.generate(
            request_id=self._request_id, prompt_ids=prompt, sampling_params=self._sampling
        )
        ids = list(output.token_ids)
        text = self._tokenizer.decode(ids, skip_special_tokens=True)
        logprobs = tuple(output.log_probs or ())
        tokens = Tokens(prompt_ids=tuple(prompt), completion_ids=tuple(ids), logprobs=logprobs)
        reply = read_reply({"message": {"content": text}}, tools=request.tools)
        return reply.model_copy(update={"tokens": tokens})


@register("orchestra")
class OrchestraLoop(AgentLoopBase):
    """Runs one rollout and returns one of its turns."""

    workspace: Workspace | None = None
    catalog = ""

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> AgentLoopOutput:
        """Return a turn of the rollout of the row's task, with the rollout's reward."""
        from reward import product

        info = kwargs["extra_info"]
        task = Task.model_validate_json(info["task"])
        trace = await self._rollout(task, sampling_params)
        correct = trace.answer is not None and matches(trace.answer, task.answer or "")
        outcome = {
            "correct": correct,
            "cost": trace.cost,
            "seconds": trace.seconds,
            "adherence": trace.adherence,
        }
        own = [turn.reply.tokens for turn in trace.turns if turn.reply.tokens and not turn.forced]
        # A rollout that failed before its first reply has nothing to learn: one masked token stands for it.
        tokens = random.choice(own) if own else None
        limit = self.config.actor_rollout_ref.rollout.response_length
        response = list(tokens.completion_ids[:limit]) if tokens else [self.tokenizer.eos_token_id]
        return AgentLoopOutput(
            prompt_ids=list(tokens.prompt_ids) if tokens else [self.tokenizer.eos_token_id],
            response_ids=response,
            response_mask=[1 if tokens else 0] * len(response),
            response_logprobs=list(tokens.logprobs[:limit]) if tokens and tokens.logprobs else None,
            reward_score=product(**outcome, task=json.loads(info["task"])),
            num_turns=2 * len(trace.turns),
            metrics=AgentLoopMetrics(),
            extra_fields={"outcome": outcome},
        )

    async def _rollout(self, task: Task, sampling: dict[str, Any]) -> Trace:
        if OrchestraLoop.workspace is None:
            OrchestraLoop.workspace = await Workspace.open()
            OrchestraLoop.catalog = OrchestraLoop.workspace.add_catalog(str(HERE / "catalog.toml"))
        workspace = OrchestraLoop.workspace
        parts = workspace.parts(OrchestraLoop.catalog)
        rollout = self.config.actor_rollout_ref.rollout
        model = Model(
            backend="local",
            price=Price(source="trained here"),
            context=rollout.prompt_length + rollout.response_length,
        )
        policy = Policy(
            name="trained",
            title="trained",
            backend=Served(self.server_manager, self.tokenizer, sampling),
            model=model,
            max_output=rollout.response_length,
            min_output=1,
        )
        toolbox = parts.toolbox("packed", await parts.obstacles())
        orchestrator = Orchestrator(parts.catalog, toolbox, policy, workspace.ledger, parts.tokens(model))
        trace: Trace | None = None
        options = Options(seed=random.getrandbits(31))
        async for event in orchestrator.run(task, options):
            if trace is None:
                trace = Trace.start(event)
            else:
                trace.apply(event)
        assert trace is not None
        return trace
