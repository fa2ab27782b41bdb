"""Reward models: a language model's body with one output, as `transformers` loads it."""

from typing import TYPE_CHECKING, Any

from torch import nn

from pairwright.errors import UsageError
from pairwright.models.chat import end_of_turn
from pairwright.models.loading import CLASSIFIER, require_head
from pairwright.models.names import base_of, is_adapter
from pairwright.models.quiet import quiet
from pairwright.models.remote_code import own_code
from pairwright.models.weights import as_usage_error, read_model
from train.config import TrainingConfig
from train.models.adapters import is_adapted
from train.models.language import load_merged, made_trainable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_for_reward_training(
    config: TrainingConfig, tokenizer: "PreTrainedTokenizerBase", *, bf16: bool
) -> Any:
    """Return a pretrained body with a new head, drawn by the seed, or a reward model to train further.

    Of an adapter's folder the body is that of its base with the adapter merged in.

    The tokenizer's padding token becomes one that ends no answer; see `padding_token`.
    """

    def load(place: str, how: dict[str, Any]) -> Any:
        model = _load(base_of(place) if is_adapter(place) else place, how, config.model)
        if is_adapter(place):
            _take_body(model, load_merged(place, how, config.model))
        model.score.float()  # it is trained, whatever the body is kept in
        tokenizer.pad_token = padding_token(tokenizer)
        for settings in (model.config, model.config.get_text_config()):
            settings.pad_token_id = tokenizer.pad_token_id
        return model

    return made_trainable(load, config, bf16=bf16, task_type="SEQ_CLS")


def padding_token(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return a token to pad with that never ends an answer.

    `transformers` reads a sequence's score at its last token that is not padding. Where the token
    that ends a turn is also the padding, which is common, it would read one too early.
    """
    end = end_of_turn(tokenizer)
    template = str(tokenizer.chat_template)
    controls = [token for token, id_ in tokenizer.get_added_vocab().items() if id_ != end]
    unused = [token for token in controls if token not in template]
    named = [tokenizer.pad_token, tokenizer.unk_token]
    sound = [t for t in named if t is not None and tokenizer.convert_tokens_to_ids(t) != end]
    return str(next(iter([*sound, *unused, *controls])))


def head_of(model: Any) -> nn.Linear:
    """Return the layer that maps a hidden state to a reward, inside any wrappers."""
    inner = getattr(model, "module", model)
    if is_adapted(inner):
        inner = inner.get_base_model()
    head = inner.score
    if hasattr(head, "modules_to_save"):  # peft trains a copy
        head = head.modules_to_save[head.active_adapters[0]]
    assert isinstance(head, nn.Linear)
    return head


def _take_body(model: Any, other: Any) -> None:
    """Give a classifier the body of a language model, whose vocabulary may have grown."""
    rows = other.get_input_embeddings().weight.shape[0]
    if rows != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows)
    mine, theirs = (getattr(one, one.base_model_prefix) for one in (model, other))
    mine.load_state_dict(theirs.state_dict())


def _load(place: str, how: dict[str, Any], name: str) -> Any:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    with as_usage_error(name), quiet():
        there = AutoConfig.from_pretrained(place, **own_code())
    goes_on = any(kind.endswith(CLASSIFIER) for kind in there.architectures or ())
    if goes_on and there.num_labels != 1:
        raise UsageError(
            f"--model {name}: a classifier of {there.num_labels} labels, and a reward model has one: name "
            "the language model that it was made of, or a reward model"
        )
    model = read_model(
        AutoModelForSequenceClassification,
        place,
        name,
        fresh="" if goes_on else "score",
        num_labels=1,
        use_safetensors=True,
        **how,
    )
    require_head(model, name)
    return model
