"""`--config FILE.yaml`: values mean what they mean on the command line, faults are told by line."""

import json
from pathlib import Path

import pytest
from in_process import run
from runs_on_disk import TAGGED, write_jsonl

from pairwright.cli.settings_file import load_settings
from pairwright.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "rows.jsonl", [{"prompt": "Q1", "response": "R1"}])
    write_jsonl(tmp_path / "replies.jsonl", [{"text": TAGGED.format("R one")}])
    return tmp_path


def settings(tmp_path: Path, text: str | bytes) -> dict[str, object]:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    _, found = load_settings(["--config", str(path)])
    assert found is not None
    assert set(found.values) == {name.partition(".")[0] for name in found.lines}
    return dict(found.values)


AS_WRITTEN = [
    "3", "1e-5", "1.5e-05", "1.10", "0777", "0x1F", "1_000", "12:30:00", "no", "off", "yes", "True", "n",
    "2024-01-01", "2024-13-45", "nan", ".inf", "+1", "-1", "canned:r.jsonl", "openai:m@http://h:80/v1",
    "a b", "=", "<<", "é", "C:\\x", "none", "None", "0b1", "1e3", "01", "1.", "~x", "null x", "it's",
    "a, b",
]  # fmt: skip


@pytest.mark.parametrize("value", AS_WRITTEN)
def test_a_value_is_the_text_that_it_looks_like(tmp_path: Path, value: str) -> None:
    assert settings(tmp_path, f"name: {value}\n") == {"name": value}


def test_a_mapping_is_json_where_its_flag_takes_json(tmp_path: Path) -> None:
    text = 'extra_body: {top_k: 20, min_p: 5e-2, on: true, off: no, s: "1", l: [1, a], d: {e: null}}\n'
    found = settings(tmp_path, text + "judge: {extra_headers: {X-Org: $MINE}}\n")
    assert json.loads(str(found["extra_body"])) == {
        "top_k": 20, "min_p": 0.05, "on": True, "off": "no", "s": "1", "l": [1, "a"], "d": {"e": None},
    }  # fmt: skip
    assert found["judge"] == {"extra_headers": '{"X-Org": "$MINE"}'}


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("null", None), ("~", None), ("", None), ("Null", None), ('"null"', "null"), ("''", ""),
        ('"~"', "~"),
        ('"a\\nb"', "a\nb"), ("'3'", "3"), ("3 # three", "3"), ("!!str 3", "3"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[a, 1e-5, null]", ["a", "1e-5", None]), ("[]", []), ("\n- a\n- b", ["a", "b"]),
        ("!!python/object/apply:os.system [touch marker]", ["touch marker"]),
        ("!!timestamp 2024-99-99", "2024-99-99"),
    ],
)  # fmt: skip
def test_what_yaml_says_beyond_that(tmp_path: Path, value: str, meaning: object) -> None:
    assert settings(tmp_path, f"name: {value}\n") == {"name": meaning}
    assert not Path("marker").exists()


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "{}", "\ufeff"])
def test_an_empty_file_sets_nothing(tmp_path: Path, text: str) -> None:
    assert settings(tmp_path, text) == {}


def test_names_may_have_hyphens_and_a_byte_order_mark_is_borne(tmp_path: Path) -> None:
    assert settings(tmp_path, "\ufeffmax-tokens: 5\ntop_p: 1\n") == {"max_tokens": "5", "top_p": "1"}


def test_sections_and_dotted_names_are_the_same(tmp_path: Path) -> None:
    both = {"train": {"beta": "0.1", "mods": ["a", None]}, "n": "1"}
    assert settings(tmp_path, "train:\n  beta: 0.1\n  mods: [a, null]\nn: 1\n") == both
    assert settings(tmp_path, "train.beta: 0.1\nn: 1\ntrain.mods:\n- a\n- null\n") == both
    assert settings(tmp_path, "train.beta: 0.1\nn: 1\ntrain: {mods: [a, ~]}\n") == both


def test_references_within_the_file_are_read_and_cannot_explode(tmp_path: Path) -> None:
    assert settings(tmp_path, "a: &x run\nb: *x\n") == {"a": "run", "b": "run"}
    laughs = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
    )
    with pytest.raises(UsageError, match=r"line 2: `a1` must be one value or a list of values"):
        settings(tmp_path, laughs)


BROKEN: list[tuple[str | bytes, str]] = [
    ("- a\n", "must be `name: value` lines, and is a list"),
    ("just words\n", "must be `name: value` lines, and is one value"),
    ("a: 1\na: 2\n", "line 2: `a` is given twice; first in line 1"),
    ("top-p: 1\n\ntop_p: 2\n", "line 3: `top_p` is given twice; first in line 1"),
    ("? [a, b]\n: 3\n", "line 1: a name is one word, and this is a list"),
    ("a: {b: {c: {d: 1}}}\n", "line 1: nested too deep"),
    ("a: {b: 1}\na.b: 2\n", "line 2: `a.b` is given twice; first in line 1"),
    ("a: {b: 1}\na: {c: 2}\n", "line 2: `a` is given twice; first in line 1"),
    ("a: 1\na.b: 2\n", "line 2: `a` is one value, and here a section"),
    ("x: 1\na: [[1]]\n", "line 2: `a` must be one value or a list of values, and holds a list"),
    ("a: 1\nb: [\n", "line 3: broken YAML (expected the node content, but found '<stream end>')"),
    ("a: b: c\n", "line 1: broken YAML (mapping values are not allowed here)"),
    ("a: 1\n\tb: 2\n", "line 2: broken YAML (found character '\\t' that cannot start any token)"),
    ("a: 1\n---\na: 2\n", "line 2: broken YAML (but found another document)"),
    ("a: *gone\n", "line 1: broken YAML (found undefined alias 'gone')"),
    ("a: \x00\n", "broken YAML (unacceptable character"),
    (b"a: caf\xe9\n", "is not UTF-8 text"),
    ("n: " + "[" * 50_000 + "\n", "nested too deep"),
    ("a: " + "x" * 2**20, "is no settings file; it has more than a megabyte"),
]


@pytest.mark.parametrize(("text", "reason"), BROKEN, ids=[r[:40] for _, r in BROKEN])
def test_a_broken_file_is_told_by_line(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(tmp_path, text)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"--config {tmp_path}/mine.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--config"], "--config needs a file: --config FILE.yaml"),
        (["--config="], "--config needs a file"),
        (["--config", "--out", "x"], "--config needs a file"),
        (["--config", "a.yaml", "--config=b.yaml"], "--config is given twice"),
        (["--config", "gone.yaml"], "--config gone.yaml: no such file"),
        (["--config", "/"], "--config /: cannot be read (Is a directory)"),
    ],
)
def test_the_flag_itself(argv: list[str], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(argv)
    assert reason in str(caught.value)


def test_other_arguments_pass_by(folder: Path) -> None:
    (folder / "a.yaml").write_text("n: 1")
    assert load_settings(["a", "--b", "c"]) == (["a", "--b", "c"], None)
    rest, found = load_settings(["a", "--config=a.yaml", "--b"])
    assert rest == ["a", "--b"]
    assert found is not None
    assert found.values == {"n": "1"}


def test_a_flag_beats_the_file_and_the_file_beats_the_default(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.yaml").write_text(
        "input: rows.jsonl\nreviser: canned:replies.jsonl\nout: run\nmax-tokens: 9\ntemperature: 1e-5\n"
        "retry: no\nlimit: null\ntop_p: 0.5\n"
    )
    for argv in (["revise", "--config", "mine.yaml"], ["--config", "mine.yaml", "revise"]):
        code, _, err = run(capfd, *argv, "--top_p", "0.9", "--fresh")
        assert (code, err) == (0, "")
        config = json.loads((folder / "run" / "run.json").read_text())["config"]
        assert config["top_p"] == 0.9
        assert (config["max_tokens"], config["temperature"], config["retry"]) == (9, 1e-5, False)
        assert (config["limit"], config["max_edit_distance"]) == (None, 0.6)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nn: 3", "--config mine.yaml line 3: no setting `nn`; "),
        (
            "temprature: 3",
            "--config mine.yaml line 3: no setting `temprature`; did you mean `temperature`?",
        ),
        ("n: null", "`n` in the settings file, line 3: Input should be a valid integer (given: None)"),
        ("n: three", "`n` in the settings file, line 3: Input should be a valid integer"),
        ("n: 12:30:00", "`n` in the settings file, line 3: Input should be a valid integer"),
        ("n: 0", "`n` in the settings file, line 3: Input should be greater than 0"),
        ("n: true", "`n` in the settings file, line 3: Input should be a valid integer"),
        ("n: [1, 2]", "`n` in the settings file, line 3: one value is wanted, and a list is given"),
        ("temperature: hot", "`temperature` in the settings file, line 3: Input should be a valid number"),
        ("preview: perhaps", "`preview` in the settings file, line 3: Input should be a valid boolean"),
        ("prompt_column: no", "no column `no` (--prompt_column)"),
        ("prompt_column: 1.10", "no column `1.10` (--prompt_column)"),
        ("prompt_column: 2024-01-01", "no column `2024-01-01` (--prompt_column)"),
        ("n: {a: 3}", "line 3: `n` must be one value or a list of values, and holds a mapping"),
        ("n.a: 3", "line 3: `n` must be one value or a list of values, and holds a mapping"),
        ("config: other.yaml", "no setting `config`"),
        ("help: yes", "no setting `help`"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    (folder / "mine.yaml").write_text(f"policy: canned:replies.jsonl\nout: run\n{line}\n")
    code, _, err = run(capfd, "sample", "rows.jsonl", "--config", "mine.yaml")
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1
    assert not (folder / "run").exists()


@pytest.mark.parametrize("value", ["", "null", "[rows.jsonl, ~]", "\n- \n- rows.jsonl"])
def test_an_empty_value_among_several_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], value: str
) -> None:
    (folder / "mine.yaml").write_text(f"out: run\ninputs: {value}\n")
    code, _, err = run(capfd, "merge", "--config", "mine.yaml")
    said = "--config mine.yaml line 2: `inputs` holds an empty value; give one, or leave it out"
    assert (code, err) == (2, f"pairwright: {said}\n")


def test_what_must_be_given_may_stand_in_the_file(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.yaml").write_text("out: run\n")
    _, _, err = run(capfd, "sample", "--config", "mine.yaml")
    assert err == "pairwright: --input and --policy must be given; see pairwright sample --help\n"


def test_a_setting_that_is_called_like_a_command_is_read(folder, capfd):
    """`judge` is both; it was once passed over in files, in silence."""
    (folder / "mine.yaml").write_text("judge: oracle\nout: run\n")
    for command in ("judge", "calibrate"):
        code, _, err = run(capfd, command, "rows.jsonl", "--config", "mine.yaml")
        assert code == 2
        assert "'oracle': unknown engine" in err
