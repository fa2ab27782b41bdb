"""Trees against the same answers one by one: log-probabilities, gradients, in any shape and packing."""

import logging as python_logging

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from architectures import ARCHITECTURES, model_of, one_by_one
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import SHAPE
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PhiConfig,
)

from pairwright.errors import UsageError
from train.data.pairs import Pair
from train.forward.answers import Answer, collate
from train.forward.attention import BY_BLOCKS, by_blocks, by_tree
from train.forward.layout import lay_out
from train.forward.logprobs import answer_logprobs
from train.forward.model import unwrapped
from train.forward.support import tree_support
from train.forward.trees import Forest, ForestMask, TreeSpan, plant, tree_of, trees_of
from train.models.language import switch_randomness_off
from train.trainer.batches import deal, require_room

IDS = st.integers(4, 103)


ON_TREES = [
    "llama",
    "llama, tied",
    "qwen2",
    "mistral, wide",
    "gemma3, wide",
    "gpt_neox",
    "granite",
    "cohere",
]


for wide in ("mistral", "gemma3"):  # a window that these trees fit into
    ARCHITECTURES[f"{wide}, wide"] = type(ARCHITECTURES[wide])(
        **ARCHITECTURES[wide].to_dict() | {"sliding_window": 64}
    )


MODELS = {name: model_of(name) for name in ON_TREES}


def array(ids: list[int]) -> np.ndarray:
    return np.array(ids, dtype=np.int32)


@st.composite
def some_prompts(draw: st.DrawFn) -> list[Answer]:
    """One to four prompts, some with many answers, some of which begin alike; shuffled."""
    answers = []
    for _ in range(draw(st.integers(1, 4))):
        prompt = array(draw(st.lists(IDS, min_size=1, max_size=9)))
        opening = draw(st.lists(IDS, max_size=4))
        for _ in range(draw(st.integers(1, 4))):
            rest = draw(st.lists(IDS, min_size=1, max_size=7))
            answers.append(Answer(prompt, array(opening + rest)))
    return draw(st.permutations(answers))


@pytest.mark.parametrize("name", ON_TREES)
def test_a_forest_says_what_its_answers_say_one_by_one(name):
    model = MODELS[name]

    @settings(max_examples=12, deadline=None)
    @given(some_prompts())
    def check(answers: list[Answer]) -> None:
        assert isinstance(lay_out(model, answers).laid, Forest)
        found = answer_logprobs(model, answers)
        assert torch.allclose(found.sums_A, one_by_one(model, answers), atol=1e-4, rtol=1e-5)
        assert found.tokens_A.tolist() == [len(answer.answer_ids) for answer in answers]

    check()


@pytest.mark.parametrize("name", ["llama", "llama, tied", "qwen2", "gemma3, wide", "gpt_neox"])
def test_gradients_are_those_of_padded_sequences(name):
    model = model_of(name)
    random = np.random.default_rng(3)
    prompts = [array(random.integers(4, 100, n)) for n in (2, 3)]
    opening = random.integers(4, 100, 2)
    answers = [
        Answer(prompt, array([*opening, *random.integers(4, 100, n)]))
        for prompt in prompts
        for n in (1, 3, 2)
    ]
    scale = torch.linspace(-1, 1, len(answers))
    gradients = []
    for trees in (True, False):
        assert isinstance(lay_out(model, answers).laid, Forest) is trees
        (answer_logprobs(model, answers).sums_A * scale).sum().backward()
        gradients.append({n: p.grad for n, p in model.named_parameters()})
        model.zero_grad()
        force_padding(model)
    largest = max(g.abs().max() for g in gradients[0].values())
    for key, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][key], atol=1e-5 * float(largest)), key


def force_padding(model: torch.nn.Module) -> None:
    from train.forward import support as forward

    forward._SUPPORT[unwrapped(model)] = forward.TreeSupport(False, 0, "told so")


def test_the_order_of_packing_does_not_matter():
    model, random = MODELS["llama"], np.random.default_rng(5)
    answers = [
        Answer(array(random.integers(4, 100, 5)), array(random.integers(4, 100, n))) for n in range(1, 9)
    ]
    whole = answer_logprobs(model, answers).sums_A
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(answers))
        shuffled = answer_logprobs(model, [answers[i] for i in order]).sums_A
        assert torch.allclose(shuffled, whole[order], atol=1e-5)


def test_what_is_shared_is_seen_once_and_predicted_once():
    """Prompt of 3, answers [7 8 | 1 2] and [7 8 | 5]: a trunk of 5 tokens, branches of 2 and 1."""
    prompt, first, second = array([4, 5, 6]), array([7, 8, 1, 2]), array([7, 8, 5])
    forest = plant([tree_of(prompt, [first, second])])
    assert forest.input_ids_T.tolist() == [4, 5, 6, 7, 8, 1, 2, 5]
    assert forest.positions_T.tolist() == [0, 1, 2, 3, 4, 5, 6, 5]
    assert forest.targets_N.tolist() == [7, 8, 1, 2, 5]
    assert forest.columns_N.tolist() == [2, 3, 4, 5, 4]  # both branches are predicted by the 8
    assert forest.columns_A.tolist() == [6, 7]
    assert forest.tokens_A.tolist() == [4, 3]
    assert forest.sums(torch.tensor([1.0, 10.0, 100.0, 1000.0, 5.0])).tolist() == [1111.0, 16.0]


def test_an_answer_that_another_begins_with_keeps_a_token_of_its_own():
    tree = tree_of(array([1]), [array([2, 3]), array([2, 3, 4])])
    assert tree.shared_ids.tolist() == [2]
    assert [branch.tolist() for branch in tree.branches] == [[3], [3, 4]]


def test_equal_answers_and_prompts_are_there_once():
    prompt, one, two = array([1, 2]), array([3]), array([4])
    answers = [Answer(prompt, one), Answer(prompt, two), Answer(prompt.copy(), one.copy())]
    trees, order = trees_of(answers)
    assert (len(trees), len(trees[0].branches), order) == (1, 2, [0, 1, 0])


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize("attend", [by_tree, by_blocks])
def test_attention_is_that_under_a_mask_of_the_whole_forest(attend):
    torch.manual_seed(0)
    layout = ForestMask([TreeSpan(0, 3, (5, 6, 9)), TreeSpan(9, 10, (12,))])
    trees, branches = (torch.from_numpy(part) for part in layout.segments())
    place = torch.arange(layout.tokens)
    mask = (place[:, None] >= place) & (trees[:, None] == trees)
    mask &= (branches == 0) | (branches[:, None] == branches)
    query, key, value = (torch.randn(1, heads, 12, 8, dtype=torch.float64) for heads in (4, 2, 2))
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=0.3, enable_gqa=True
    )
    assert torch.allclose(attend(query, key, value, layout, 0.3), expected)


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@given(forest=st.lists(st.lists(st.integers(1, 60), min_size=2, max_size=5), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_blocks_are_that_of_calls_by_tree(forest):
    """Trunks and branches of any length, over many blocks of 128 tokens and over less than one."""
    spans, at = [], 0
    for trunk, *branches in forest:
        ends = tuple(int(end) for end in at + trunk + np.cumsum(branches))
        spans.append(TreeSpan(at, at + trunk, ends))
        at = ends[-1]
    layout = ForestMask(spans)
    torch.manual_seed(at)
    query, key, value = (torch.randn(1, heads, at, 16) for heads in (4, 2, 2))
    found, expected = (attend(query, key, value, layout, None) for attend in (by_blocks, by_tree))
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize("name", ON_TREES)
def test_models_run_on_blocks_too(name, monkeypatch):
    """As on a GPU, but uncompiled. There are no gradients: this FlexAttention has none on a CPU."""
    monkeypatch.setattr("train.forward.support.backends", lambda device: (BY_BLOCKS,))
    model = model_of(name)
    answers = [Answer(array([5, 6, 7]), array([8, 9, *range(n)])) for n in (1, 2, 4)]
    with torch.no_grad():
        assert tree_support(model).trees
        found = answer_logprobs(model, answers).sums_A
    assert torch.allclose(found, one_by_one(model, answers), atol=1e-4)


OTHERS = {
    "mamba": MambaConfig(vocab_size=104, hidden_size=16, num_hidden_layers=1, state_size=4),
    "gpt2": GPT2Config(vocab_size=104, n_embd=16, n_layer=1, n_head=2),
    "phi": PhiConfig(
        vocab_size=104, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2
    ),
}


@pytest.mark.parametrize(("name", "trees"), [("mamba", False), ("gpt2", True), ("phi", True)])
def test_a_model_that_trees_do_not_fit_says_so_and_pads(name, trees, caplog):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(OTHERS[name]).float()
    switch_randomness_off(model)
    with caplog.at_level(python_logging.WARNING):
        assert tree_support(model).trees is trees
    assert ("runs on padded sequences" in caplog.text) is not trees
    answers = [Answer(array([5, 6]), array([7, 8, n])) for n in (9, 10)]
    assert torch.allclose(answer_logprobs(model, answers).sums_A, one_by_one(model, answers), atol=1e-4)


def test_soft_caps_inside_attention_are_not_run_on_trees():
    assert not tree_support(model_of("gemma2")).trees


def test_trees_longer_than_a_sliding_window_are_padded():
    config = MistralConfig(**SHAPE, vocab_size=104, sliding_window=16)
    model = AutoModelForCausalLM.from_config(config).float()
    short, long = (Answer(array([4] * n), array([5, 6])) for n in (14, 15))
    assert isinstance(lay_out(model, [short]).laid, Forest)
    assert not isinstance(lay_out(model, [short, long]).laid, Forest)


def pair(number: int, prompt: list[int], chosen: int, rejected: int) -> Pair:
    return Pair(f"row{number}", str(prompt), array(prompt), array([1] * chosen), array([2] * rejected))


def test_trees_are_packed_within_the_budget():
    """Trees of 10, 7, 5, 4 and 3 tokens into 13: each goes where the least room is left."""
    pairs = [pair(n, [n + 5], 1, size - 2) for n, size in enumerate([3, 10, 5, 4, 7])]
    micros = deal(range(5), pairs, budget=13)
    assert [sorted(micro.indices) for micro in micros] == [[0, 1], [2, 4], [3]]


def test_pairs_of_one_prompt_go_together():
    pairs = [pair(0, [5], 3, 2), pair(1, [6], 3, 2), pair(2, [5], 3, 4)]
    assert {tuple(sorted(m.indices)) for m in deal(range(3), pairs, budget=10)} == {(0, 2), (1,)}


def test_a_budget_too_small_for_a_tree_names_the_row():
    pairs = [pair(0, [5], 3, 2), pair(1, [5, 6, 7], 30, 20)]
    with pytest.raises(
        UsageError, match=r"row row1: .* 53 tokens, more than micro_batch_tokens, which is 50"
    ):
        require_room(pairs, 50)


def test_padded_batches_count_their_padding():
    pairs = [pair(n, [n + 5], size, size) for n, size in enumerate([99, 9, 9, 9, 9])]
    micros = deal(range(5), pairs, budget=220, trees=False)
    assert [sorted(m.indices) for m in micros] == [[0], [1, 2, 3, 4]]
    batch = collate([Answer(pairs[0].prompt_tokens, pairs[0].chosen_ids)] * 2)
    assert batch.input_ids_AT.numel() <= 220


def test_bfloat16_is_no_reason_to_pad():
    """What a wrapper does to numbers says nothing about who sees whom."""
    wide = {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 8}
    model = AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=104, num_attention_heads=8, **wide))
    prepared = Accelerator(cpu=True, mixed_precision="bf16").prepare_model(model)
    AcceleratorState._reset_state(reset_partial_state=True)
    assert tree_support(prepared).trees
    assert tree_support(model_of("llama").to(torch.bfloat16)).trees
