"""The tables of the proof: prompts that can be mended, leak by hand, and a whole table in miniature."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from proof_scripts import scripts
from tiny_model import save_tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from pairwright.engines.verifiers.ifeval.check import INSTRUCTIONS, follows

ANSWER = """Sure, here is a little text about rivers. Rivers begin in mountains, and they flow to the
sea! People like rivers very much.

Fish live there, too. What a wonderful thing to see, isn't it? It can also help you in good times."""
UNMENDABLE = ("length_constraints:number_words", "length_constraints:number_sentences")
"""An answer that is too short wants a writer."""


@pytest.fixture
def proof(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module of the proof, by name."""
    return scripts(monkeypatch)


def test_held_out_prompts_share_no_task_and_no_wording(proof):
    prompts = proof("instructions.prompts")
    train, held_out = (list(prompts.rows(part, 2, 1)) for part in ("train", "held_out"))
    assert not {r["plain"] for r in train} & {r["plain"] for r in held_out}
    asked = {r["prompt"].replace(r["plain"], "") for r in train if len(r["instruction_id_list"]) == 1}
    assert not any(request.strip() in row["prompt"] for request in asked for row in held_out)
    assert {name for row in train for name in row["instruction_id_list"]} == set(INSTRUCTIONS) - {
        "language:response_language"
    }
    assert all(row["prompt"] not in (row["mirror"], row["another"]) for row in train)


def test_single_requests_are_mended(proof):
    prompts, repairs = proof("instructions.prompts"), proof("instructions.repairs")
    missed = []
    for row in prompts.rows("train", 1, 1):
        names, given = row["instruction_id_list"], json.loads(row["kwargs"])
        if len(names) == 1 and not (names[0] in UNMENDABLE and given[0]["relation"] == "at least"):
            mended = repairs.repair(row["prompt"], ANSWER, row)
            if not mended or not follows(mended, names, given)[0]:
                missed.append(names[0])
    assert set(missed) <= {*UNMENDABLE, "keywords:existence"}
    assert len(missed) < 5


def test_leak_is_the_share_among_answers_that_were_not_asked(proof):
    forms = proof("forms")
    found = forms.leak(
        [
            ('"Quoted, unasked."', []),
            ('"Quoted, asked."', ["startend:quotation"]),
            ("<<Title>>\nplain, *marked* text", ["detectable_format:number_highlighted_sections"]),
            ("* one, a point", []),
        ],
        forms.INSTRUCTED,
    )
    assert (found["quotation marks"], found["title"]) == (1 / 3, 1 / 4)
    assert (found["highlights"], found["bullets"], found["no comma"]) == (0, 1 / 4, 0)
    assert found[forms.ANY] == 3 / 4  # all but the one that was asked


def test_what_stands_at_the_end_of_an_order_is_counted(proof):
    pairs = pa.table(
        {
            "source": ["clair", "clair_mirrored", "clair_mirrored", "clair"],
            "edit_distance": [0.1, 0.2, 0.3, 0.4],
            "ches_normalized": [-9.0, -5.0, 1.0, 2.0],
            "form": ["title", "title", "bullets", "quotes"],
            "chosen": ["a", "b", "c", "c"],
            "rejected": ["b", "a", "b", "d"],
        }
    )
    bench, arms, table = (proof(name) for name in ("bench", "arms", "table"))
    middle = bench.at_end(arms.Arm(("mirrored_plain",), "dpo", "edit_distance", "middle"), pairs, 2).slice(
        0, 2
    )
    assert "| all | 0.25 | -2 | 2 of 4 | 3 × 2 |" in table.of_parts({"all": pairs})
    assert table.of_parts({"middle changed": middle}).splitlines()[-1] == (
        "| middle changed | 0.25 | -2 | 2 of 2 | 2 × 2 | title 1, bullets 1 |"
    )


def test_an_answer_is_cut_at_a_sentence_and_goes_on_when_it_is_asked_to_be_longer(proof):
    shorten, repairs = proof("instructions.shorten"), proof("instructions.repairs")
    shorten.MOST_WORDS = 55
    first, second, third, fourth = said = [
        f"{name} begins in the hills and runs for many miles, through towns, to the sea."
        for name in ("The Rhine", "The Rhone", "The Elbe", "The Po")
    ]
    answer, rest = shorten.shortened(" ".join([*said, "And the"]))
    assert (answer, rest) == (f"{first} {second} {third}", f" {fourth}")
    assert shorten.shortened("Too short. " + "word " * 80) is None
    assert shorten.shortened(f"{first} {second} {first}") is None, "says something twice"
    assert shorten.shortened(f"<<Rivers>> {first} {second}") is None, "has a title unasked"
    row = {
        "instruction_id_list": ["length_constraints:number_sentences"],
        "kwargs": json.dumps([{"relation": "at least", "num_sentences": 4}]),
    }
    assert repairs.repair("", answer, row | {"rest": rest}) == " ".join(said)
    assert repairs.repair("", answer, row) is None


SAID = {
    "untrained": [("Ab, be", False), ("Ab, ce", False), ('"De"', True), ("Ef", True)],
    "trained": [('"Ab be"', True), ("Ab ce", True), ('"De"', True), ('"Ef"', False)],
    "control": [("Ab, be", False), ("Ab ce", True), ('"De"', True), ("Ef", True)],
}


def _rows(model: str) -> list[dict[str, object]]:
    return [
        {
            "completion_model": model,
            "prompt_id": f"{number}",
            "completion": [{"role": "assistant", "content": answer}],
            "prompt": [{"role": "user", "content": "say a"}],
            "passed": passed,
            "score": (1.0 if passed else 0.5) if number == 0 else float(passed),
            "finish_reason": "stop",
            "instruction_id_list": ["startend:quotation" if number == 2 else "punctuation:no_comma"]
            * (2 if number == 0 else 1),
        }
        for number, (answer, passed) in enumerate(SAID[model])
    ]


def test_gain_and_leak_of_an_arm_by_hand(proof, monkeypatch: pytest.MonkeyPatch):
    measures = proof("measures")
    monkeypatch.setattr(
        measures, "read_tables",
        lambda folder: [pa.Table.from_pylist(_rows(folder.name))],
    )  # fmt: skip
    forms = proof("forms").INSTRUCTED
    folders = [Path("trained"), Path("trained")]
    asked = lambda row: row["instruction_id_list"]  # noqa: E731
    found = measures.measured(folders, Path("untrained"), forms, asked)
    assert found.gain[:3] == (0.5, 0.75, 0.25)
    assert found.gain.low < 0 < found.gain.high
    assert [seed[:3] for seed in found.by_seed] == [found.gain[:3]] * 2
    assert found.instructions[:2] == (3 / 5, 4 / 5)  # of five: one of the first prompt's two held before
    assert (found.leaked, found.worst_leak) == ("quotation marks", 2 / 3)  # two of the three unasked
    assert found.stray == (0, 2 / 4)
    assert (found.words, found.distinct, found.said, found.ended) == (1, 1, (0, 0), (1, 1))
    assert found.meant[:3] == (0, 0, 0)  # passes, with fewer than five words of its own
    passing, meaning = measures.compared(folders, [Path("control")] * 2)
    assert (passing[:3], meaning[:3]) == ((0.75, 0.75, 0), (0, 0, 0))


def test_an_interval_of_a_certain_difference_is_a_point(proof):
    numpy = proof("numpy")
    low, high = proof("measures")._interval(numpy.ones((3, 7)), numpy.full(7, 2.0))
    assert (low, high) == (0.5, 0.5)


def test_a_form_around_nothing_says_nothing(proof):
    def says(answer):
        row = {"prompt": [{"content": "Why do cats purr?"}], "completion": [{"content": answer}]}
        return proof("measures")._says_something(row)

    assert says("They purr when they are calm or in pain.")
    assert not says("<<Why Do Cats Purr>> do cats purr? They do!")
    assert not says("* They are calm and warm here.\n* They are calm and warm here.")


def test_good_answers_are_as_likely_as_transformers_says(proof, tmp_path: Path):
    model = save_tiny_model(tmp_path / "model")
    said = [("Say a.", "a b c"), ("Say b, please.", "ba"), ("left out", "by the limit")]
    rows = [{"prompt": prompt, "chosen": good, "rejected": "?"} for prompt, good in said]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    network, tokenizer = AutoModelForCausalLM.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    total, tokens = 0.0, 0
    for prompt, good in said[:2]:
        start = len(tokenizer(f"<|user|>{prompt}<|end|><|assistant|>").input_ids)
        ids = tokenizer(f"<|user|>{prompt}<|end|><|assistant|>{good}<|end|>", return_tensors="pt").input_ids
        logps = network(ids).logits[0].log_softmax(-1)
        total += sum(logps[place - 1, ids[0, place]].item() for place in range(start, ids.shape[1]))
        tokens += ids.shape[1] - start
    found = proof("good").likelihood(model, tmp_path / "pairs.jsonl", 2)
    assert found == pytest.approx(total / tokens, abs=1e-4)


def test_an_arm_has_as_many_pairs_as_its_scarcest_kind_allows(proof, tmp_path: Path):
    arm = proof("arms").Arm(("on_policy", "crossed"), shares=(0.25, 0.75), unquoted=True)
    said = [[{"role": "assistant", "content": text}] for text in ['"quoted"', "plain", 'also "plain"']]
    table = pa.table({"prompt": said, "chosen": said, "rejected": said})
    bench = proof("bench")

    class Kinds(bench.Bench):
        def __init__(self):
            pass

        def pairs(self, kind, chosen_by=""):
            file = tmp_path / kind
            pq.write_table(table if kind == "on_policy" else pa.concat_tables([table] * 4), file)
            return file

    assert Kinds().most(arm) == 8  # two of three on policy, a quarter of all: 8; eight of twelve: 10


def test_a_table_in_miniature(proof, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ifeval = tmp_path / "ifeval.jsonl"
    rows = [
        {"prompt": f"Say {n}. No commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
        for n in range(2)
    ]
    ifeval.write_text("\n".join(map(json.dumps, rows)))
    model = save_tiny_model(tmp_path / "model", max_position_embeddings=512)
    runs = tmp_path / "runs"
    argv = (
        f"run_table.py contrast --ground ifeval --ifeval {ifeval} --runs {runs} --model {model} --seeds 1 "
        "--dtype float32 --limit 2 --eval_tokens 4 --arms crossed-apo_zero_sft_1 "
        f"--settings=--function_processes=1 --training=--save_steps=5 --page {tmp_path / 'page.md'}"
    )
    (tmp_path / "page.md").write_text(
        "# A page\n<!-- contrast-ifeval: begin -->\nold\n<!-- contrast-ifeval: end -->\nmore\n"
    )
    grounds = proof("grounds").GROUNDS
    small = grounds["ifeval"]._replace(training="--max_steps 1 --pairs_per_update 2 --save_steps 0")
    monkeypatch.setitem(grounds, "ifeval", small)
    runs.mkdir()
    asked = list(proof("instructions.prompts").rows("train", 2, 1))[:12]
    said = [json.dumps(row | {"response": ANSWER}) for row in asked]  # a tiny model says no sentences
    (runs / "bare_short.jsonl").write_text("\n".join(said))
    monkeypatch.setattr(sys, "argv", argv.split())
    proof("run_table").main()
    lines = (runs / "contrast.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| crossed"]
    assert lines[2].split(" | ")[3] == "100.0% → 100.0%"  # what it writes has no commas
    assert (tmp_path / "page" / "contrast-ifeval.png").stat().st_size > 1000
    page = (tmp_path / "page.md").read_text().splitlines()
    assert page[0:2] == ["# A page", "<!-- contrast-ifeval: begin -->"]
    assert page[2:5] == lines[:3]
    assert page[-1] == "more"
    (runs / "contrast.md").unlink()
    monkeypatch.setattr(sys, "argv", f"{argv} --finished --pairs {lines[2].split(' | ')[2]}".split())
    monkeypatch.setattr(proof("bench"), "run_command", lambda words: pytest.fail("it runs"))
    proof("run_table").main()
    assert (runs / "contrast.md").read_text().splitlines() == lines
