"""Pairs measured under a model, a few hundred at a time; measures are stored and reused."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.keyed import KeyedNumbers, shared_folder
from train.data.pairs import Pair
from train.data.split import ids_digest, most_tokens, warn_of_window
from train.data.token_weights import changed_tokens
from train.devices.accelerator import accelerator_for
from train.devices.processes import say
from train.forward.logprobs import answers_of
from train.forward.states import AnswerStates, answer_states
from train.forward.support import tree_support
from train.models.language import load_base, model_identity, require_vocabulary, switch_randomness_off
from train.preference.config import TrainConfig
from train.preference.reference import with_reference
from train.preference.reference_store import NONE
from train.preference.task import PreferenceTask
from train.selection.config import SelectConfig
from train.selection.measures import Floats, ModelMeasures, ches, surprise
from train.trainer.batches import deal
from train.trainer.passes import by_answer

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")
CHUNK = 512
"""Pairs behind each file of the store: so much is measured again after a crash, at most."""
_NUMBERS = pa.schema([(name, pa.float64()) for name in ModelMeasures._fields])


def model_measures(config: SelectConfig, pairs: Sequence[Pair]) -> dict[str, Floats]:
    """Measure every pair by `config.model`; returns each measure by its name, (P,).

    Raises `PairwrightError`, naming the row, for a log-probability that is not finite.
    """
    assert config.model is not None
    warn_of_window(config.model, pairs)
    with accelerator_for(_training(config, config.model)) as accelerator:
        model = _loaded(accelerator, config.model, pairs)
        store = _store(config, accelerator, model)
        keys = [_key(pair) for pair in pairs]
        found = store.find(keys) if store is not None else {}
        missing = [(key, pair) for key, pair in zip(keys, pairs, strict=True) if key not in found]
        if len(missing) < len(pairs):
            say(f"{len(pairs) - len(missing):,} of {len(pairs):,} pairs were measured before")
        for chunk in _chunks(missing):
            new = _measured(model, [pair for _, pair in chunk], config.micro_batch_tokens)
            found |= {key: tuple(one) for (key, _), one in zip(chunk, new, strict=True)}
            if store is not None:
                store.add([key for key, _ in chunk], *zip(*new, strict=True))
    table = np.array([found[key] for key in keys], dtype=np.float64).reshape(len(pairs), -1)
    return dict(zip(ModelMeasures._fields, table.T, strict=True))


def most_tokens_of(config: SelectConfig, model: str) -> int:
    """Return the most tokens of a prompt with an answer that all models can take, up to `max_length`."""
    return most_tokens(_training(config, model).model_copy(update={"ref_model": config.ref_model}))


def reference_logps(config: SelectConfig, pairs: Sequence[Pair]) -> dict[str, Floats]:
    """Return both answers' log-probabilities of each pair under `config.ref_model`, in nats, each (P,).

    It is kept where `train` keeps it: a training with this reference finds it there.
    """
    assert config.ref_model is not None
    training = _training(config, config.ref_model)
    with accelerator_for(training) as accelerator:
        model = _loaded(accelerator, config.ref_model, pairs)
        store = PreferenceTask(training).store(accelerator, model)
        budget = config.micro_batch_tokens
        if store is not None:
            known = store.known(answers_of(pairs))
            sides = zip(pairs, known[: len(pairs)], known[len(pairs) :], strict=True)
            missing = [pair for pair, *values in sides if None in values]
            for chunk in _chunks(missing):
                with_reference(accelerator, model, chunk, budget=budget, store=store)
        found = with_reference(accelerator, model, pairs, budget=budget, store=store).ref_PK
    chosen, rejected = found.cpu().double().numpy().T
    return {"ref_logp_chosen": chosen, "ref_logp_rejected": rejected}


def _measured(model: nn.Module, pairs: Sequence[Pair], budget: int) -> list[ModelMeasures]:
    """What a model makes of some pairs, in as few passes of `budget` tokens as they need."""
    answers = answers_of(pairs)
    states: dict[int, AnswerStates] = {}
    micros = deal(range(len(pairs)), pairs, budget=budget, support=tree_support(model))
    for places, _ in by_answer(micros, pairs):
        found = answer_states(model, [answers[place] for place in places])
        states |= dict(zip(places, found, strict=True))
    return [_of_pair(pair, states[i], states[len(pairs) + i]) for i, pair in enumerate(pairs)]


def _of_pair(pair: Pair, chosen: AnswerStates, rejected: AnswerStates) -> ModelMeasures:
    logps = [side.logps_L.double().numpy() for side in (chosen, rejected)]
    if not all(math.isfinite(side.sum()) for side in logps):
        raise PairwrightError(
            f"row {pair.row_id}: the model gives it a log-probability that is not finite; its weights or "
            "its number format are unsound (try --no_bf16)"
        )
    similarity = ches(
        chosen.state_W.numpy(), rejected.state_W.numpy(), len(pair.chosen_ids), len(pair.rejected_ids)
    )
    changed = changed_tokens(pair.chosen_ids, pair.rejected_ids)
    return ModelMeasures(
        logp_chosen=float(logps[0].sum()),
        logp_rejected=float(logps[1].sum()),
        ches=similarity.plain,
        ches_normalized=similarity.normalized,
        surprise_chosen=surprise(logps[0], changed[0]),
        surprise_rejected=surprise(logps[1], changed[1]),
    )


def _training(config: SelectConfig, model: str) -> TrainConfig:
    """A training that would run this model as it is measured."""
    return TrainConfig(
        model=model,
        data=config.inputs,
        output_dir=config.out,
        max_length=config.max_length,
        micro_batch_tokens=config.micro_batch_tokens,
        bf16=config.bf16,
        use_cpu=config.use_cpu,
        reference_store=config.reference_store,
    )


def _loaded(accelerator: "Accelerator", name: str, pairs: Sequence[Pair]) -> nn.Module:
    """The model, ready to be asked. Raises `UsageError` for tokens that it has no embedding of."""
    if accelerator.num_processes > 1:
        raise UsageError("select measures in one process: start it without accelerate launch")
    model = load_base(name)
    require_vocabulary(model, name, pairs)
    switch_randomness_off(model)
    prepared: nn.Module = accelerator.prepare_model(model, evaluation_mode=True)
    return prepared


def _store(config: SelectConfig, accelerator: "Accelerator", model: nn.Module) -> KeyedNumbers | None:
    """Where the measures of this model, run with these numerics, are kept."""
    if config.reference_store == NONE:
        return None
    assert config.model is not None
    identity = {
        "measures": list(ModelMeasures._fields),
        "model": model_identity(config.model),
        "mixed_precision": accelerator.mixed_precision,
        "device": accelerator.device.type,
        "torch": torch.__version__,
        "trees": tree_support(model).trees,
    }
    return KeyedNumbers(shared_folder(config.reference_store, "measures"), identity, _NUMBERS)


def _key(pair: Pair) -> bytes:
    """Hash of the token ids of a pair: 16 bytes."""
    parts = (pair.prompt_tokens, pair.chosen_ids, pair.rejected_ids)
    return hashlib.blake2b(ids_digest("", parts), digest_size=16).digest()


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))
