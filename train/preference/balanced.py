"""Preference training of a mixture of experts, with its load-balancing loss.

    E  experts    n  pairs of an update

    loss of an update = mean over pairs + coefficient * E * sum_e F_e P_e

F and P are shares and mean probabilities over all tokens of the sequences of the update, each with
its prompt, as a batch of all of them would have them: however it is cut, the loss is one.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pairwright.errors import UsageError
from pairwright.models.names import base_of, find_model, is_adapter
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code
from pairwright.models.weights import as_usage_error
from train.devices.processes import say
from train.forward.answers import Answer
from train.forward.layout import lay_out, passes_of
from train.forward.routing import Routing, experts_of, routers, routing_of
from train.preference.config import TrainConfig
from train.preference.pair_logprobs import PairSet, logprobs_of
from train.preference.task import PreferenceTask
from train.trainer.passes import values_of
from train.trainer.task import Measured, Run


def balancing(config: TrainConfig) -> float:
    """Return the weight of the load-balancing loss: the setting, else the model's configuration, else 0."""
    if config.router_aux_loss_coef is not None:
        return config.router_aux_loss_coef
    from transformers import AutoConfig

    place = find_model(config.model)
    place = base_of(place) if is_adapter(place) else place
    with as_usage_error(config.model), quiet():
        found = AutoConfig.from_pretrained(place, **own_code()).get_text_config()
    asked = getattr(found, "output_router_logits", False)
    return float(getattr(found, "router_aux_loss_coef", 0.0) or 0.0) if asked else 0.0


class BalancedTask(PreferenceTask):
    """Policy against reference, and tokens spread over experts."""

    def __init__(self, config: TrainConfig, coefficient: float) -> None:
        super().__init__(config)
        self.metrics = (*self.metrics, "aux_loss")
        self._coefficient = coefficient
        self._wanted_E: Tensor | None = None
        """E * n * F / tokens of the update."""

    def load_model(self, *, bf16: bool) -> Any:
        """Return a causal language model with a router."""
        model = super().load_model(bf16=bf16)
        self._experts, self._chosen = experts_of(model)
        say(
            f"load-balancing loss of {self._experts} experts with weight {self._coefficient:g} "
            "(--router_aux_loss_coef)"
        )
        return model

    @torch.no_grad()
    def look_ahead(self, run: Run, data: PairSet, indices: Sequence[int]) -> None:
        """Measure how the tokens of an update are spread over the experts."""
        super().look_ahead(run, data, indices)
        sums = torch.zeros(self._experts + 1, device=run.accelerator.device)
        for micro in run.deal(indices, data):
            asked = self.answers([data.items[index] for index in micro.indices])
            found = values_of(lambda some: self._spread(run.policy, some), asked, micro)
            sums += micro.weight * found.sum(0)
        total = run.accelerator.reduce(sums, reduction="sum")
        self._wanted_E = self._experts * len(indices) * total[:-1] / total[-1].square()

    def values(self, policy: nn.Module, answers: Sequence[Answer]) -> Tensor:
        """Return log-probabilities, and each answer's share of the update's load-balancing loss."""
        with routers(policy) as heard:
            found = super().values(policy, answers)
        columns = found[:, None] if found.dim() == 1 else found
        share = columns.new_zeros(())
        if self._wanted_E is not None:
            routing = self._routing(policy, answers, heard)
            share = (routing.probabilities_E * self._wanted_E).sum() / len(answers)
        return torch.cat([columns, share.expand(len(answers), 1)], 1)

    def measured(self, values_A: Tensor, data: PairSet, indices: Sequence[int]) -> Measured:
        """Return losses and metrics of some pairs, with their share in the load-balancing loss."""
        logps, shares_A = values_A[:, :-1], values_A[:, -1]
        found = super().measured(logps[:, 0] if logps.shape[1] == 1 else logps, data, indices)
        balance_B = torch.stack(shares_A.chunk(2)).sum(0)
        losses_B = found.losses_B + self._coefficient * balance_B
        metrics_KB = torch.cat([found.metrics_KB, balance_B.detach()[None]])
        metrics_KB[0] = losses_B.detach()  # the loss stands first
        return Measured(losses_B, metrics_KB, found.sound_B & torch.isfinite(balance_B.detach()))

    def _spread(self, policy: nn.Module, answers: Sequence[Answer]) -> Tensor:
        """Times that each expert is chosen, and tokens: an even part for each answer (A, E + 1)."""
        with routers(policy) as heard:
            logprobs_of(policy, answers)
        routing = self._routing(policy, answers, heard)
        both = torch.cat([routing.chosen_E, routing.tokens[None]])
        return both.expand(len(answers), -1) / len(answers)

    def _routing(
        self, policy: nn.Module, answers: Sequence[Answer], heard: Sequence[Sequence[Tensor]]
    ) -> Routing:
        """Where the tokens of some answers went, from what was heard of the passes that they took last."""
        places = passes_of(policy, answers)
        parts = [
            routing_of(logits, lay_out(policy, [answers[place] for place in some]), len(some), self._chosen)
            for logits, some in zip(heard[-len(places) :], places, strict=True)
        ]
        chosen, probabilities, tokens = (torch.stack(values).sum(0) for values in zip(*parts, strict=True))
        return Routing(chosen, probabilities, tokens)


def refuse_balancing(config: TrainConfig) -> None:
    """Warn that a loss goes without load balancing; raise `UsageError` if that was asked for."""
    if config.router_aux_loss_coef:
        raise UsageError(f"--router_aux_loss_coef is for losses of pairs, and not for {config.loss}")
    if balancing(config):
        say(f"the model asks for its load-balancing loss (output_router_logits); {config.loss} adds none")
