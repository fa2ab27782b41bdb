"""Exports: the official fields and nothing else, taken by those they are for."""

import json
import tempfile
from pathlib import Path
from typing import Any

import datasets
import pytest
from in_process import run
from runs_on_disk import revise_config, write_jsonl
from tiny_model import save_tiny_model

from pairwright.exports.formats import FORMATS
from pairwright.folders.durable import TEMPORARY
from pairwright.folders.shards import read_tables
from pairwright.inputs.pairs import read_pairs
from revise import revise

ROW = {
    "prompt": [{"role": "user", "content": "Name a tree."}],
    "chosen": [{"role": "assistant", "content": "An old oak is."}],
    "rejected": [{"role": "assistant", "content": "An oak is."}],
    "margin": 0.5,
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder, rows=36))
    return folder / "run"


def exported(capfd, source: Path, to: str, out: Path) -> list[dict[str, Any]]:
    code, _, err = run(capfd, "export", str(source), "--to", to, "--out", str(out))
    assert (code, err) == (0, "")
    with tempfile.TemporaryDirectory() as cache:
        return datasets.load_dataset(str(out), split="train", cache_dir=cache).to_list()


@pytest.mark.parametrize(
    ("to", "wanted"),
    [
        ("trl", {n: ROW[n] for n in ("prompt", "chosen", "rejected")}),
        ("openrlhf", {n: ROW[n] for n in ("prompt", "chosen", "rejected")}),
        (
            "axolotl",
            {"messages": ROW["prompt"], "chosen": ROW["chosen"][0], "rejected": ROW["rejected"][0]},
        ),
        (
            "llamafactory",
            {
                "conversations": [{"from": "human", "value": "Name a tree."}],
                "chosen": {"from": "gpt", "value": "An old oak is."},
                "rejected": {"from": "gpt", "value": "An oak is."},
                "tools": "",
            },
        ),
        (
            "openai",
            {
                "input": {"messages": ROW["prompt"], "tools": [], "parallel_tool_calls": True},
                "preferred_output": ROW["chosen"],
                "non_preferred_output": ROW["rejected"],
            },
        ),
        ("jsonl", ROW),
    ],
)
def test_a_pair_has_the_fields_its_consumer_names(tmp_path, capfd, to, wanted):
    source = write_jsonl(tmp_path / "pairs.jsonl", [ROW])
    assert exported(capfd, source, to, tmp_path / "out") == [wanted]


def test_a_pair_becomes_two_unpaired_rows(tmp_path, capfd):
    source = write_jsonl(tmp_path / "pairs.jsonl", [ROW])
    assert exported(capfd, source, "kto", tmp_path / "out") == [
        {"prompt": ROW["prompt"], "completion": ROW["chosen"], "label": True},
        {"prompt": ROW["prompt"], "completion": ROW["rejected"], "label": False},
    ]


@pytest.mark.parametrize("to", ["trl", "openrlhf", "axolotl", "openai", "llamafactory", "jsonl"])
def test_every_pair_of_a_run_comes_through(pairs, tmp_path, capfd, to):
    rows = exported(capfd, pairs, to, tmp_path / "out")
    kept = [row for table in read_tables(pairs) for row in table.to_pylist()]
    assert len(rows) == len(kept) == 25
    texts = {row["chosen"][0]["content"] for row in kept}
    assert all(any(text in json.dumps(row, ensure_ascii=False) for text in texts) for row in rows)
    assert json.loads((tmp_path / "out" / "export.json").read_text())["rows"] == 25


@pytest.mark.parametrize(("to", "trainer"), [("trl", "DPO"), ("kto", "KTO")])
def test_trls_trainers_take_a_step_on_it(pairs, tmp_path, capfd, to, trainer):
    import trl

    exported(capfd, pairs, to, tmp_path / "out")
    rows = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    settings = getattr(trl, f"{trainer}Config")(
        output_dir=str(tmp_path / "trained"),
        max_steps=1,
        per_device_train_batch_size=4,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
    )
    model = save_tiny_model(tmp_path / "model")
    done = getattr(trl, f"{trainer}Trainer")(model=model, args=settings, train_dataset=rows)
    if trainer == "KTO":
        assert sorted(set(rows["label"])) == [False, True]
    assert done.train().global_step == 1


def test_what_a_consumer_would_drop_is_left_out_and_said(tmp_path, capfd):
    system = [{"role": "system", "content": "Be short."}, *ROW["prompt"]]
    twice = [*ROW["prompt"], *ROW["prompt"]]
    rows = [ROW, ROW | {"prompt": system}, ROW | {"prompt": twice}]
    source = write_jsonl(tmp_path / "pairs.jsonl", rows)
    code, out, _ = run(capfd, "export", str(source), "--to", "llamafactory", "--out", str(tmp_path / "out"))
    assert code == 0
    assert "1 pairs left out: its turns do not alternate" in " ".join(out.split())
    lines = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    assert [m["from"] for m in json.loads(lines[1])["conversations"]] == ["system", "human"]
    assert len(lines) == 2
    only = write_jsonl(tmp_path / "only.jsonl", [ROW | {"prompt": twice}])
    code, _, err = run(capfd, "export", str(only), "--to", "llamafactory", "--out", str(tmp_path / "none"))
    assert (code, err.count("\n")) == (1, 1)
    assert "nothing to write for llamafactory: 1 pairs left out" in err
    assert not (tmp_path / "none").exists()


def test_what_no_trainer_can_learn_from_is_left_out_and_said(tmp_path, capfd):
    answers = [("a", "b"), ("a", "a"), ("a", " \n"), ("", "b")]
    rows = [{"prompt": "Q?", "chosen": one, "rejected": other} for one, other in answers]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    code, out, _ = run(capfd, "export", str(source), "--to", "trl", "--out", str(tmp_path / "out"))
    assert code == 0
    said = " ".join(out.split())
    assert "2 pairs left out: one of the answers is empty" in said
    assert "1 pairs left out: both answers are the same" in said


def test_calls_of_tools_are_turns_of_their_own_and_read_again(tmp_path, capfd):
    """LLaMA-Factory's `function_call` and `observation`, in conversations and as answers."""
    call = {"type": "function", "function": {"name": "sum", "arguments": '{"of": [2, 2]}'}}
    asks = {"role": "assistant", "content": "", "tool_calls": [call]}
    told = {"role": "tool", "content": "4", "name": "sum"}
    after = ROW | {"prompt": [*ROW["prompt"], asks, told], "tools": '[{"name": "sum"}]'}
    calls = {"prompt": ROW["prompt"], "chosen": [asks], "rejected": ROW["rejected"]}
    words = calls | {"chosen": [asks | {"content": "Let me see."}]}
    source = write_jsonl(tmp_path / "pairs.jsonl", [after, calls, words])
    code, out, _ = run(capfd, "export", str(source), "--to", "llamafactory", "--out", str(tmp_path / "out"))
    assert (code, "1 pairs left out: this form has no place for words" in " ".join(out.split())) == (
        0,
        True,
    )
    one, other = map(json.loads, (tmp_path / "out" / "train.jsonl").read_text().splitlines())
    assert [m["from"] for m in one["conversations"]] == ["human", "function_call", "observation"]
    assert json.loads(one["conversations"][1]["value"]) == {"name": "sum", "arguments": {"of": [2, 2]}}
    assert json.loads(one["tools"]) == [{"name": "sum"}]
    assert (other["chosen"]["from"], other["rejected"]["from"], other["tools"]) == (
        "function_call",
        "gpt",
        "",
    )
    read, again = read_pairs([str(tmp_path / "out" / "train.jsonl")]), read_pairs([str(source)])
    for found, before in zip(read, again, strict=False):
        assert [(m.role, m.content) for m in found.prompt] == [(m.role, m.content) for m in before.prompt]
        assert found.chosen.tool_calls == before.chosen.tool_calls
        assert found.prompt[0].beside == before.prompt[0].beside


def test_a_repeated_prompt_and_plain_text_are_told_apart(tmp_path, capfd):
    repeated = {
        "prompt": ROW["prompt"],
        "chosen": ROW["prompt"] + ROW["chosen"],
        "rejected": ROW["prompt"] + ROW["rejected"],
    }
    plain = {"prompt": "Name a tree.", "chosen": "An old oak is.", "rejected": "An oak is."}
    for n, row in enumerate((repeated, plain)):
        source = write_jsonl(tmp_path / f"{n}.jsonl", [row])
        [found] = exported(capfd, source, "trl", tmp_path / f"out{n}")
        assert found == {name: ROW[name] for name in found}


def test_what_cannot_be_exported_is_one_sentence(pairs, tmp_path, capfd):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    answers = write_jsonl(tmp_path / "answers.jsonl", [{"prompt": "Q", "completion": "A"}])
    bad = write_jsonl(tmp_path / "bad.jsonl", [ROW | {"chosen": ["text"]}])
    for argv, code, said in (
        ([str(answers), "--to", "trl"], 2, "answers.jsonl line 1: no `chosen`; the columns are"),
        (
            [str(bad), "--to", "trl"],
            2,
            "bad.jsonl line 1: `chosen` is a list of texts; a conversation",
        ),
        ([str(pairs), "--to", "trll"], 2, "--to: Input should be 'trl', 'kto'"),
        ([str(tmp_path / "gone"), "--to", "trl"], 2, "gone: no such file or folder"),
        ([str(pairs), "--to", "trl", "--out", str(tmp_path / "mine")], 2, "mine: holds other files"),
    ):
        argv = argv if "--out" in argv else [*argv, "--out", str(tmp_path / "out")]
        found, out, err = run(capfd, "export", *argv)
        assert (found, out, err.count("\n")) == (code, "", 1), argv
        assert said in err
        assert not (tmp_path / "out" / "export.json").exists()
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "precious"


def test_a_second_export_replaces_the_first(pairs, tmp_path, capfd):
    assert len(exported(capfd, pairs, "trl", tmp_path / "out")) == 25
    source = write_jsonl(tmp_path / "pairs.jsonl", [ROW])
    for to in ("trl", "llamafactory", "openai", "kto"):
        assert len(exported(capfd, source, to, tmp_path / "out")) == (2 if to == "kto" else 1)
        files = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
        assert files == {"README.md", "export.json", *(Path(name).name for name in FORMATS[to].files)}


def test_an_export_does_not_take_the_place_of_what_it_reads(pairs, tmp_path, capfd):
    out = str(tmp_path / "out")
    exported(capfd, pairs, "jsonl", Path(out))
    before = (tmp_path / "out" / "train.jsonl").read_bytes()
    for source in (out, f"{out}:train", f"{out}/*.jsonl"):
        code, _, err = run(capfd, "export", source, "--to", "trl", "--out", out)
        assert (code, err.count("\n")) == (2, 1)
        assert (
            f"out: an export into it would throw away what `run` ({source.removesuffix(':train')}) reads"
            in err
        )
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == before


@pytest.mark.parametrize("before", ["train.parquet", "README.md", "export.json"])
def test_an_export_that_was_killed_is_done_anew(pairs, tmp_path, capfd, before):
    """Killed before that file: what lies there is known as an export's, and replaced."""
    exported(capfd, pairs, "trl", tmp_path / "out")
    written = ["data/train.parquet", "README.md"]
    for name in {"train.parquet": written, "README.md": written[1:], "export.json": written}[before]:
        (tmp_path / "out" / name).unlink()
    if before == "export.json":
        (tmp_path / "out" / "export.json").unlink()
        (tmp_path / "out" / "data" / f"{TEMPORARY}train.parquet").write_bytes(b"half")
    assert len(exported(capfd, pairs, "trl", tmp_path / "out")) == 25
    assert (tmp_path / "out" / "README.md").exists()


@pytest.mark.parametrize("split", ["", ":train", "/train"])
def test_the_card_keeps_what_people_said_of_the_data(pairs, tmp_path, capfd, split):
    from pairwright.folders.front_matter import front_matter

    card = pairs / "README.md"
    card.write_text(card.read_text().replace("---\n", "---\nlicense: cc0-1.0\n", 1))
    exported(capfd, f"{pairs}{split}", "axolotl", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert front_matter(tmp_path / "out" / "README.md")["license"] == "cc0-1.0"
    assert "type: chat_template.default" in text
    assert "made by `pairwright revise`" in text
