"""The engines that rounds ask; one vLLM serves all of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pairwright.engines.openai.keys import refuse_shared
from pairwright.engines.pool import EnginePool
from pairwright.engines.vllm.settings import least_rank
from pairwright.engines.vllm.warm import engines_kept
from pairwright.errors import UsageError
from pairwright.models.names import base_and_adapter, is_adapter
from pairwright.terminal.text import say
from train.config import AdapterConfig
from train.rounds.config import RoundsConfig
from train.rounds.refusals import in_section

_BYTES_A_WEIGHT = 16
"""Held in a training of all weights: value, gradient and Adam's two moments, each in float32."""
_STORED = 2
"""Bytes of a weight as models are mostly stored."""


class Asked(NamedTuple):
    """Whom a step of a round asks."""

    roles: Mapping[str, str]
    """Engines by role."""
    reads_logprobs: Sequence[str] = ()
    """Roles whose log-probabilities are read."""


def models_asked(config: RoundsConfig, asked: Mapping[str, Asked], *, begins: bool) -> dict[str, str]:
    """Return the identities of the models that the steps ask, given by section.

    Raises `UsageError` for what cannot be asked so, and where work `begins` `PairwrightError` for a server
    that does not answer, or without the log-probabilities that are read: now, and not after hours.
    """
    found: dict[str, str] = {}
    keys = []
    for section, (roles, _) in asked.items():
        with in_section(section, config), EnginePool(roles, getattr(config, section)) as engines:
            keys.append(engines.found_keys)
            found |= {f"{role} model": identity for role, identity in engines.identities.items()}
    refuse_shared(keys)
    for section, (roles, reads_logprobs) in asked.items() if begins else ():
        with in_section(section, config), EnginePool(roles, getattr(config, section)) as engines:
            engines.require_servers(reads_logprobs)
    return found


@contextmanager
def through_rounds(
    policy: str, model: str, train: AdapterConfig, *, overlap: bool = False
) -> Iterator[None]:
    """Keep the engine of policy `vllm` alive in the block; its use of memory is reported first.

    With `overlap` it works while the training does.
    """
    if policy != "vllm":
        yield
        return
    place, _ = base_and_adapter(model)
    size = sum(path.stat().st_size for path in Path(place).glob("*.safetensors"))
    if size:
        trained = _gib(size // _STORED * _BYTES_A_WEIGHT)
        sleeping = (
            f"On a GPU it sleeps while other steps work: {_gib(size)} of weights wait in main memory, and "
            f"the GPU is the training's (about {trained} and activations, if all weights are trained)"
        )
        awake = (
            f"It samples on a device of its own while another one trains (about {trained} and activations, "
            "if all weights are trained)"
        )
        say(
            "One vLLM serves all rounds and takes each round's weights in place. "
            f"{awake if overlap else sleeping}. On a CPU its weights and cache (VLLM_CPU_KVCACHE_SPACE) "
            "stay in memory"
        )
    rank = least_rank(train.lora_r) if swaps_adapters(policy, train) else None
    with engines_kept(place, rank or 0):
        yield


def swaps_adapters(policy: str, train: AdapterConfig) -> bool:
    """Return whether vLLM gets each round's adapter on the base it holds; four bits are another base."""
    fits = train.lora_r and not train.use_dora and not train.load_in_4bit and least_rank(train.lora_r)
    return policy == "vllm" and bool(fits)


def adapter_settings(
    policy: str, model: str, train: AdapterConfig, *, carried: bool = False
) -> dict[str, Any]:
    """Return the adapter settings of a round's training: a new adapter, or the model's own.

    The model's own is trained further if vLLM swaps it or its optimizer is `carried` along; else it is
    merged.
    """
    on = is_adapter(model)
    if not (swaps_adapters(policy, train) or (carried and train.lora_r)):
        return {"merge_adapter": bool(train.lora_r), "merge_first": on}
    return {"merge_adapter": False} | ({"lora_r": 0, "use_rslora": False, "use_dora": False} if on else {})


def require_carried(policy: str, train: AdapterConfig) -> None:
    """Raise `UsageError` if a policy cannot sample from adapters that are not merged."""
    if not train.lora_r or policy == "hf" or swaps_adapters(policy, train):
        return
    why = (
        "takes no adapters like these (DoRA, or a rank above 512)"
        if policy == "vllm"
        else "is a server, which loads whole models"
    )
    raise UsageError(
        f"--carry_optimizer: one optimizer for all rounds means one adapter, not merged in between, and "
        f"--sample.policy {policy} {why}; sample with hf, or train all weights (--train.lora_r 0)"
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
