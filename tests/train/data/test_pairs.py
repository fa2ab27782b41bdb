"""Reading pairs, leaving some out by name, holding some out by prompt, and putting them in order."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import numbered_pairs, tiny_tokenizer, write_jsonl

from pairwright.errors import PairwrightError, UsageError
from pairwright.inputs.pairs import parse_pair, read_pairs
from pairwright.records import Message
from train.data.pairs import Pair, drop_reason, encode_pairs
from train.data.split import hold_out, pairs_hash, without_prompts_of
from train.trainer.schedule import Schedule, epoch_order, learning_rate

USER = {"role": "user", "content": "Q"}
GOOD = {"role": "assistant", "content": "good"}
BAD = {"role": "assistant", "content": "bad"}


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def parsed(**columns):
    return parse_pair(columns, "file row 1")


@pytest.mark.parametrize(
    "columns",
    [
        {"prompt": "Q", "chosen": "good", "rejected": "bad"},
        {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": [USER], "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"prompt": "Q", "chosen": [USER, GOOD], "rejected": "bad"},
        {"question": "Q", "chosen": "good", "rejected": "bad"},
        {"instruction": "Q", "input": "", "chosen": GOOD, "rejected": BAD},
        {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"conversations": [{"from": "human", "value": "Q"}], "chosen": GOOD, "rejected": BAD},
        {"chosen": "\n\nHuman: Q\n\nAssistant: good", "rejected": "\n\nHuman: Q\n\nAssistant: bad"},
    ],
)
def test_every_form_of_a_pair_is_the_same_pair(columns):
    pair = parsed(**columns)
    assert pair.prompt == (Message(role="user", content="Q"),)
    assert (pair.chosen.content, pair.rejected.content) == ("good", "bad")
    assert pair.row_id == parsed(prompt="Q", chosen="good", rejected="bad").row_id


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"chosen": "Q good", "rejected": "Q bad"}, ["no `prompt`", "not guessed"]),
        ({"chosen": "good", "rejected": [USER, BAD]}, ["no `prompt`", "not guessed"]),
        ({"prompt": "Q", "chosen": "good"}, ["no `rejected`", "`prompt`, `chosen`"]),
        ({"prompt": "P", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, ["do not begin with"]),
        ({"prompt": "Q", "chosen": [USER], "rejected": [BAD]}, ["`chosen`", "'user'"]),
        ({"prompt": "Q", "chosen": 7, "rejected": "bad"}, ["`chosen` is a number; it must be text"]),
        ({"prompt": "Q", "chosen": [{"role": "assistant"}], "rejected": "b"}, ["`chosen` holds a message"]),
        ({"prompt": [None], "chosen": "a", "rejected": "b"}, ["`prompt` holds a message that is not"]),
        (
            {"chosen": [USER, GOOD, USER, GOOD], "rejected": [USER, BAD]},
            ["differ before their last message"],
        ),
        ({"prompt": "Q", "chosen": [USER, GOOD, USER, GOOD], "rejected": "bad"}, ["differ before"]),
        (
            {"prompt": "Q", "chosen": [GOOD | {"tool_calls": [{}]}], "rejected": "b"},
            ["a tool call that is not"],
        ),
        (
            {"prompt": "Q", "chosen": "a", "rejected": "b", "tools": [{}]},
            ["`tools` must be a list of tools"],
        ),
    ],
)
def test_what_is_no_pair_is_refused_in_a_sentence(columns, words):
    with pytest.raises(UsageError) as refused:
        parsed(**columns)
    assert str(refused.value).startswith("file row 1: ")
    assert all(word in str(refused.value) for word in words)


def test_files_folders_and_a_limit_over_all(tmp_path):
    rows = numbered_pairs(6)
    jsonl = write_jsonl(tmp_path / "a.jsonl", rows[:2])
    (tmp_path / "folder").mkdir()
    for number in (1, 2):
        table = pa.Table.from_pylist(rows[2 * number : 2 * number + 2])
        pq.write_table(table, tmp_path / "folder" / f"{number}.parquet")
    read = list(read_pairs([jsonl, str(tmp_path / "folder")]))
    assert [row.row_id for row in read] == [f"row{number}" for number in range(6)]
    assert [r.row_id for r in read_pairs([jsonl, str(tmp_path / "folder")], 3)] == [
        "row0",
        "row1",
        "row2",
    ]


def test_a_source_without_pairs_or_without_a_file(tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(UsageError, match="no pairs"):
        list(read_pairs([str(empty)]))
    with pytest.raises(UsageError, match="no such file"):
        list(read_pairs([str(tmp_path / "absent.jsonl")]))


def test_a_flipped_bit_in_a_parquet_page_is_not_trained_on(tmp_path):
    path = tmp_path / "pairs.parquet"
    table = pa.Table.from_pylist(numbered_pairs(200))
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[data.index(b"river 102")] ^= 1
    path.write_bytes(data)
    with pytest.raises(PairwrightError, match="damaged"):
        list(read_pairs([str(path)]))


def test_pathological_rows_are_left_out_by_name(tokenizer):
    rows = [
        ("kept", "Q", "good", "bad"),
        ("same", "Q", "good", "good"),
        ("blank", "Q", " \n", "bad"),
        ("blank too", "Q", "good", ""),
        ("long", "Q", "good " * 20, "bad"),
        ("long prompt", "Q" * 60, "good", "bad"),
        ("just fits", "Q", "g" * 47, "bad"),
    ]
    parsed_rows = [
        parse_pair({"row_id": i, "prompt": p, "chosen": c, "rejected": r}, i) for i, p, c, r in rows
    ]
    kept, dropped = encode_pairs(parsed_rows, tokenizer, max_length=52)
    assert [pair.row_id for pair in kept] == ["kept", "just fits"]
    assert dropped == {
        "identical": ["same"],
        "empty": ["blank", "blank too"],
        "too_long": ["long", "long prompt"],
    }
    assert kept[1].longest == 52


def test_answers_equal_only_as_tokens_are_identical(tokenizer):
    """The tiny tokenizer reads every unknown character as a space."""
    row = parsed(prompt="Q", chosen="caf\u00e9", rejected="caf\u00e8")
    kept, dropped = encode_pairs([row], tokenizer, 100)
    assert not kept
    assert dropped == {"identical": [row.row_id]}


def test_both_sides_end_in_one_end_of_turn_after_one_prompt(tokenizer):
    kept, _ = encode_pairs([parsed(prompt="Q", chosen="good", rejected="bad")], tokenizer, 100)
    pair, end = kept[0], tokenizer.eos_token_id
    for ids in (pair.chosen_ids, pair.rejected_ids):
        assert ids[-1] == end
        assert Counter(ids.tolist())[end] == 1
    assert tokenizer.decode(pair.prompt_tokens.tolist()) == "<|user|>Q<|end|><|assistant|>"


def pairs_of(prompts: list[str]) -> list[Pair]:
    one = np.array([1], dtype=np.int32)
    return [Pair(f"row{n}", prompt, one, one, one) for n, prompt in enumerate(prompts)]


@given(
    prompts=st.lists(st.sampled_from("abcdefghij"), max_size=40),
    share=st.floats(0, 0.99),
    seed=st.randoms(),
)
def test_no_prompt_is_in_both_parts(prompts, share, seed):
    pairs = pairs_of(prompts)
    training, held_out = hold_out(pairs, share)
    assert Counter(p.row_id for p in training + held_out) == Counter(p.row_id for p in pairs)
    assert not {p.prompt_key for p in training} & {p.prompt_key for p in held_out}
    assert bool(training) == bool(pairs)
    assert bool(held_out) == bool(share and len(set(prompts)) > 1)
    shuffled = pairs.copy()
    seed.shuffle(shuffled)
    assert {p.row_id for p in hold_out(shuffled, share)[1]} == {p.row_id for p in held_out}


def test_evaluation_pairs_whose_prompt_is_trained_on_are_named():
    kept, seen = without_prompts_of(pairs_of(["a", "b"]), pairs_of(["c", "b", "d"]))
    assert [pair.prompt_key for pair in kept] == ["c", "d"]
    assert seen == ["row1"]


def test_the_hash_of_pairs_sees_every_part_and_the_order():
    pairs = pairs_of(["a", "b"])
    changes = [
        pairs[::-1],
        pairs[:1],
        [pairs[0]._replace(row_id="x"), pairs[1]],
        *(
            [pairs[0]._replace(**{part: np.array([1, 1], dtype=np.int32)}), pairs[1]]
            for part in ("prompt_tokens", "chosen_ids", "rejected_ids")
        ),
    ]
    assert len({pairs_hash(pairs), *(pairs_hash(changed) for changed in changes)}) == 7
    assert pairs_hash(pairs) == pairs_hash(pairs_of(["a", "b"]))


def test_a_prompt_without_tokens_is_left_out():
    row = parsed(prompt="Q", chosen="good", rejected="bad")
    none = np.array([], dtype=np.int32)
    assert drop_reason(row, Pair("r", "p", none, none, none), 10) == "empty"


@given(
    num_pairs=st.integers(1, 50),
    size=st.integers(1, 20),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_every_epoch_has_every_pair_once(num_pairs, size, epochs, seed):
    schedule = Schedule(num_pairs, size, 0, seed)
    each = schedule.updates_per_epoch
    for epoch in range(epochs):
        updates = [schedule.pairs_of(epoch * each + 1 + k) for k in range(each)]
        assert sorted(index for update in updates for index in update) == list(range(num_pairs))
        assert all(len(update) == size for update in updates[:-1])
        assert schedule.epoch_after((epoch + 1) * each) == epoch + 1


@given(
    groups=st.lists(st.integers(1, 6), min_size=1, max_size=30),
    size=st.integers(6, 20),
    seed=st.integers(0, 2**32),
)
def test_neighbours_stay_in_one_update_and_no_update_is_empty(groups, size, seed):
    schedule = Schedule(sum(groups), size, 0, seed, tuple(groups))
    updates = [schedule.pairs_of(k + 1) for k in range(schedule.updates_per_epoch)]
    assert sorted(index for update in updates for index in update) == list(range(sum(groups)))
    assert all(0 < len(update) < 2 * size for update in updates)
    group_of = [number for number, count in enumerate(groups) for _ in range(count)]
    homes = {(group_of[index], k) for k, update in enumerate(updates) for index in update}
    assert len(homes) == len(groups)


def test_pairs_alone_go_the_same_way_with_groups_or_without():
    alone, grouped = Schedule(23, 4, 0, 1), Schedule(23, 4, 0, 1, (1,) * 23)
    assert [alone.pairs_of(k) for k in range(1, 13)] == [grouped.pairs_of(k) for k in range(1, 13)]


def test_pairs_stay_in_their_order_where_that_is_asked_for():
    alone = Schedule(7, 3, 0, 1, keep_order=True)
    assert [alone.pairs_of(k) for k in range(1, 5)] == [[0, 1, 2], [3, 4, 5], [6], [0, 1, 2]]
    grouped = Schedule(5, 3, 0, 1, (2, 3), keep_order=True)
    assert [grouped.pairs_of(k) for k in (1, 2)] == [[0, 1], [2, 3, 4]]


def test_the_order_is_a_function_of_seed_and_epoch():
    assert epoch_order(100, 1, 0) == epoch_order(100, 1, 0)
    assert len({tuple(epoch_order(100, s, e)) for s in range(4) for e in range(4)}) == 16


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
@given(updates=st.integers(1, 200), warmup=st.floats(0, 0.9))
def test_learning_rates_rise_to_the_peak_and_are_never_zero(kind, updates, warmup):
    rates = [
        learning_rate(k, updates, peak=2.0, warmup_ratio=warmup, kind=kind) for k in range(1, updates + 1)
    ]
    top = rates.index(max(rates))
    assert max(rates) == 2.0
    assert min(rates) > 0
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_learning_rates_by_hand():
    """Four updates, half of them warm-up: 1/2, 1, then cosine of 0 and of half a turn."""
    rates = [learning_rate(k, 4, peak=1.0, warmup_ratio=0.5, kind="cosine") for k in (1, 2, 3, 4)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5])


def test_pairs_with_a_string_of_json_are_not_parsed_twice():
    said = [{"role": "user", "content": json.dumps([USER])}]
    row = parsed(prompt=said, chosen="{{ 7 * 7 }}", rejected="<|end|>")
    assert row.prompt[0].content == json.dumps([USER])
    assert row.chosen.content == "{{ 7 * 7 }}"
