"""The report as a file: whole, closed to the world, small, and the same every time."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from figures_toy import training
from hostile import attacks, hostile_run
from hypothesis import given
from hypothesis import strategies as st
from in_process import run
from runs_on_disk import TAGGED, revise_config, write_jsonl

from pairwright.folders.manifest import load_manifest
from pairwright.pairs.word_diff import pieces
from pairwright.reports.charts import histogram, thinned
from pairwright.reports.examples import quotas, shortened
from pairwright.reports.page import inert
from revise import ReviseConfig, revise


class Page(HTMLParser):
    """The elements of a page, as a browser's parser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open = f"{tag} {dict(attrs).get('type') or ''}".strip()
            self.inside[self._open] = ""

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside[self._open] += data


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder))
    return folder / "run"


def page_of(capfd, *folders: Path, out: Path) -> str:
    code, said, err = run(capfd, "report", *map(str, folders), "--out", str(out))
    assert (code, err) == (0, "")
    assert str(out) in said.replace("\n", "")
    return out.read_text()


def test_the_page_is_one_file_that_may_do_nothing(pairs, tmp_path, capfd):
    page = Page(page_of(capfd, pairs, out=tmp_path / "r.html"))
    assert {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "base", "form"} == set()
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", (tag, value)
            if name in ("href", "src", "xlink:href"):
                assert (value or "").startswith("#"), (tag, value)
    [policy] = [a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.inside[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_hostile_text_stays_text(tmp_path, capfd):
    page = Page(page_of(capfd, hostile_run(tmp_path, "http://127.0.0.1:1"), out=tmp_path / "r.html"))
    ours = {"html", "head", "meta", "title", "style", "body", "header", "nav", "a", "main", "section"}
    assert [t for t, _ in page.elements].count("script") == 2
    assert {t for t, _ in page.elements if t in ("img", "iframe", "link", "image")} == set()
    assert len([t for t, _ in page.elements if t == "style"]) == 1
    assert ours <= {t for t, _ in page.elements}
    rows = json.loads(page.inside["script application/json"])
    everything = json.dumps(rows, ensure_ascii=False)
    assert "<" not in page.inside["script application/json"]
    assert "\x1b" not in everything
    assert "\u2028" not in everything
    assert "\u202e" not in everything
    shown = {row["prompt"][0][1].split(":")[0]: row for row in rows}
    for number, attack in enumerate(attacks("http://127.0.0.1:1")):
        if attack.isprintable():
            assert attack in shown[f"Question {number}"]["prompt"][0][1]


@given(st.text())
def test_inert_json_is_the_same_value_and_no_markup(text):
    written = inert([text])
    assert json.loads(written) == [text]
    assert not set("<>&\u2028\u2029") & set(written)


@given(st.text(alphabet="ab \n", max_size=30), st.text(alphabet="ab \n", max_size=30))
def test_pieces_are_both_answers(rejected, chosen):
    found = list(pieces(rejected, chosen))
    assert "".join(p.text for p in found if p.kind != "old") == chosen
    assert "".join(p.text for p in found if p.kind != "new") == rejected


def test_the_same_run_gives_the_same_page(pairs, tmp_path, capfd):
    first = page_of(capfd, pairs, out=tmp_path / "a.html")
    assert page_of(capfd, pairs, out=tmp_path / "b.html") == first
    assert run(capfd, "report", str(pairs))[0] == 0
    assert (pairs / "report.html").read_text() == first


@pytest.fixture(scope="module")
def long_answers(tmp_path_factory) -> Path:
    """A thousand pairs of answers of four thousand characters, a quarter of them dropped."""
    folder = tmp_path_factory.mktemp("long")
    answer = "It is {n} and, as everybody knows who can count, nothing else at all. " * 60
    rows = [{"prompt": f"What is {n}?", "response": answer.format(n=n)} for n in range(1100)]
    replies = [
        {
            "match": f"What is {n}?",
            "text": TAGGED.format(answer.format(n=n).replace("else", "more", 3)) if n % 4 else "Hm.",
        }
        for n in range(1100)
    ]
    config = ReviseConfig(
        input=str(write_jsonl(folder / "rows.jsonl", rows)),
        reviser=f"canned:{write_jsonl(folder / 'replies.jsonl', replies)}",
        out=str(folder / "run"),
        retry=False,
    )
    revise(config)
    return folder / "run"


def test_a_thousand_long_pairs_stay_under_three_megabytes(long_answers, tmp_path, capfd):
    text = page_of(capfd, long_answers, out=tmp_path / "r.html")
    rows = json.loads(Page(text).inside["script application/json"])
    assert len(rows) == 1000
    assert {row["status"] for row in rows} == {"kept", "unparsed"}
    assert len(text.encode()) < 3_000_000
    assert any("more characters]" in row["text"][-1][1] for row in rows)


def test_several_runs_stand_on_the_same_axes(pairs, long_answers, tmp_path, capfd):
    """The two histograms of a measure have the same ticks, though the runs are nothing alike."""
    text = page_of(capfd, pairs, long_answers, out=tmp_path / "r.html")
    figure = re.search(r"<figure>\s*<figcaption><b>edit distance.*?</figure>", text, re.DOTALL)[0]
    first, second = ([*re.findall(r"<text[^>]*>([^<]*)</text>", svg)] for svg in figure.split("<svg")[1:])
    assert first == second != []
    assert text.count('<div class="whose">') >= 4


def test_training_and_rounds_and_judges_are_on_the_page(calibration, tmp_path, capfd):
    model = training(tmp_path / "model")
    loop = tmp_path / "loop"
    loop.mkdir()
    write_jsonl(loop / "table.jsonl", [{"round": n, "pairs": 10 + n, "note": "<b>"} for n in (1, 2)])
    text = page_of(capfd, model, loop, calibration, out=tmp_path / "r.html")
    assert "Chosen fell while the margin grew by 1.90 nats" in text
    assert "<b>pairs</b>" in text
    assert "<b></td>" not in text
    assert "agreement with the labels" in text
    assert "… of taking the longer answer" in text
    assert "<b>reliability</b>" in text
    assert "held out −3.1" in text


def test_a_selection_that_measured_nothing_has_a_page(pairs, tmp_path, capfd):
    assert run(capfd, "select", str(pairs), "--top", "2", "--out", str(tmp_path / "few"))[0] == 0
    assert "--top 2" in page_of(capfd, tmp_path / "few", out=tmp_path / "few.html")


def test_a_run_that_has_just_begun_has_a_page(tmp_path, capfd):
    revise(revise_config(tmp_path, rows=20))
    manifest = load_manifest(tmp_path / "run")
    manifest.model_copy(update={"shards": {}, "complete": False}).save(tmp_path / "run")
    text = page_of(capfd, tmp_path / "run", out=tmp_path / "r.html")
    assert "unfinished" in text


def test_what_cannot_be_shown_is_one_sentence(pairs, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    mine = write_jsonl(tmp_path / "mine.jsonl", [{"prompt": "Q"}])
    for argv, said in (
        ([str(tmp_path / "empty")], "holds no figures"),
        ([str(pairs), "--out", str(tmp_path)], "is a folder; name the page"),
        ([str(pairs), "--out", str(mine)], "mine.jsonl: is a file of something else; choose another --out"),
        (
            [str(pairs), "--out", str(pairs / "run.json")],
            "run.json: is a file of something else; choose another --out",
        ),
        ([str(pairs)] * 7, "7 folders: at most 6 fit side by side"),
        ([], "--runs must be given"),
    ):
        code, out, err = run(capfd, "report", *argv)
        assert (code, out, err.count("\n")) == (2, "", 1), argv
        assert said in err
    assert Path(mine).read_text() == '{"prompt": "Q"}\n'


@given(
    st.dictionaries(st.sampled_from(["kept", "failed", "tie", "empty"]), st.integers(0, 5000)),
    st.integers(1, 2000),
)
def test_every_status_is_shown_and_no_more_than_asked(counts, most):
    found = quotas(counts, most)
    present = {s: n for s, n in counts.items() if n}
    assert found.keys() == present.keys()
    assert all(1 <= found[s] <= present[s] for s in found)
    assert sum(found.values()) == min(sum(present.values()), max(most, len(present)))


def test_what_is_cut_is_said():
    example = {
        "reason": "", "rationale": "r" * 30, "edits": [], "votes": [],
        "prompt": [["user", "p" * 12]], "text": [["s", "a" * 8], ["o", "b" * 8], ["n", "c" * 8]],
    }  # fmt: skip
    cut = shortened(example, 10)
    assert cut["prompt"] == [["user", "pppppppppp … [2 more characters]"]]
    assert cut["text"] == [
        ["s", "a" * 8],
        ["o", "bb … [6 more characters]"],
        ["s", " … [14 more characters]"],
    ]
    assert shortened(example, 100) == example


def test_long_curves_are_thinned_to_means_of_neighbours():
    steps, values = thinned(range(1, 1201), [float(n % 4) for n in range(1200)])
    assert len(steps) == 300
    assert (steps[-1], set(values)) == (1200, {1.5})
    assert thinned([1, 2], [3.0, None]) == ([1, 2], [3.0, None])


def test_charts_take_their_colours_from_the_page():
    svg = histogram([0, 0.5, 1], [0.25, 0.75], top=1, median=0.6)
    assert "var(--accent)" in svg
    assert re.search(r'"#[0-9a-f]{6}"', svg) is None
    assert "style=" not in svg
    assert svg == histogram([0, 0.5, 1], [0.25, 0.75], top=1, median=0.6)
