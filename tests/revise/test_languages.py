"""Measures, gates and sentences: no spaces, from right to left, signs on letters, emoji.

The sentences were written for this test: a right one, the same with one mistake, and another one that says
something else.
"""

import tomllib
import unicodedata

import pytest
from places import ROOT

from pairwright.pairs.minimality import measure
from pairwright.pairs.tokens import words
from revise.config import GateConfig
from revise.edits.sentences import sentences
from revise.gates import Revision, check

FILE = ROOT / "tests" / "revise" / "languages_mended.toml"
MENDED = {name: tuple(found.values()) for name, found in tomllib.loads(FILE.read_text()).items()}


def ending(original: str, revised: str) -> str:
    measures = measure(revised, original, original=original)
    return check(Revision(original, revised, measures), GateConfig()).status


@pytest.mark.parametrize("language", MENDED)
def test_one_mistake_mended_is_a_minimal_revision_and_another_answer_is_none(language: str) -> None:
    right, wrong, other = MENDED[language]
    assert ending(wrong, right) == "kept"
    assert ending(right, other) == "rewritten"
    assert ending(right, right) == "no_change"
    whole = right * 4
    assert ending(whole, right) in ("length_drift", "lost_content", "rewritten")


@pytest.mark.parametrize("language", MENDED)
def test_no_sign_stands_without_its_letter(language: str) -> None:
    """A token never begins with what belongs to the character before it, and nothing is left out."""
    for text in MENDED[language]:
        for form in ("NFC", "NFD"):
            tokens = words(unicodedata.normalize(form, text))
            assert "".join(tokens) == "".join(unicodedata.normalize(form, text).split())
            assert not [
                t for t in tokens if unicodedata.category(t[0]).startswith("M") or t[0] in "\u200d\ufe0f"
            ]


def test_an_accent_is_one_change_however_it_is_written() -> None:
    for form in ("NFC", "NFD"):
        texts = [
            unicodedata.normalize(form, text)
            for text in ("le café est fermé ce soir", "le café est ferme ce soir")
        ]
        assert measure(*texts, original=texts[1]).token_levenshtein == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("水是透明的。它没有味道！你知道吗？", 3),
        ("「はい。」と言った。帰った。", 3),
        ("ﾐｽﾞﾊ ﾄｳﾒｲﾃﾞｽ｡ｱｼﾞﾊ ﾅｲ｡", 2),
        ("ឈ្មោះខ្ញុំសុខា។ ខ្ញុំមកពីភ្នំពេញ។", 2),
        ("ကျွန်တော် ဆရာပါ။ ရန်ကုန်မှာ နေတယ်။", 2),
        ("दिल्ली बड़ी है। वहाँ भीड़ है।", 2),
        ("هل أنت هنا؟ نعم، أنا هنا.", 2),
        ("אתה כאן? כן, אני כאן.", 2),
        ("น้ำใส\nไม่มีรส", 2),
        ("서울은 크다. 사람이 많다.", 2),
    ],
)
def test_sentences_end_where_their_language_ends_them(text: str, count: int) -> None:
    spans = sentences(text)
    assert len(spans) == count, [text[a:b] for a, b in spans]
    assert "".join("".join(text[a:b] for a, b in spans).split()) == "".join(text.split())
