"""The measures of a pair: against arithmetic by hand, against naive algorithms, and as a diff."""

import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from pairwright.pairs.minimality import Minimality, Span, changed_spans, measure
from pairwright.pairs.tokens import WORD, words

TEXT = st.text(st.sampled_from(list("abc  ,.\n\té漢か\u0301\u200d😀_1")), max_size=40)
WORDS = st.lists(st.sampled_from(["a", "b", "c", "dd", "漢", ",", "."]), max_size=12).map(" ".join)


def levenshtein(a: list[str] | str, b: list[str] | str) -> int:
    """Wagner and Fischer's table, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(diagonal + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def longest_common(a: list[str], b: list[str]) -> int:
    """Length of the longest common subsequence, by the textbook recurrence."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def rebuilt(chosen: str, rejected: str, spans: tuple[Span, ...]) -> str:
    """Rejected, with every span replaced by what chosen has there."""
    parts, end = [], 0
    for span in spans:
        parts += [rejected[end : span.rejected_start], chosen[span.chosen_start : span.chosen_end]]
        end = span.rejected_end
    return "".join([*parts, rejected[end:]])


def test_a_replaced_word() -> None:
    """rejected: It is five .     4 tokens      chosen: It is four .     4 tokens

    one token replaced -> distance 1, 1/4 of the longer; distinct tokens: 3 shared, 5 in either;
    the original keeps It, is and . = 3 of its 4; prefix It is = 2; 4 tokens for 4.
    five -> four as characters: i->o, v->u, e->r = 3.
    """
    assert measure("It is four.", "It is five.", original="It is five.") == Minimality(
        token_levenshtein=1,
        char_levenshtein=3,
        edit_distance=1 / 4,
        jaccard=3 / 5,
        kept_share=3 / 4,
        common_prefix=2,
        length_ratio=1.0,
        changed_spans=(Span(6, 10, 6, 10),),
    )


def test_an_insertion() -> None:
    """rejected: a b c = 3 tokens; chosen: a x y b c = 5 tokens. Two inserted: distance 2 of 5;
    all 3 of the original kept; 3 shared of 5 distinct; prefix 1; 5 tokens for 3; "x y " = 4 characters.
    """
    assert measure("a x y b c", "a b c", original="a b c") == Minimality(
        2, 4, 2 / 5, 3 / 5, 1.0, 1, 5 / 3, (Span(2, 2, 2, 6),)
    )


def test_a_worsened_answer_is_its_own_original() -> None:
    """chosen (the original): a b c d, rejected: a d. Kept: 2 of the original's 4 tokens, not 2 of 2."""
    found = measure("a b c d", "a d", original="a b c d")
    assert (found.kept_share, found.length_ratio, found.token_levenshtein) == (1 / 2, 4 / 2, 2)
    assert measure("a b c d", "a d", original="a d").kept_share == 1.0


def test_jaccard_counts_distinct_tokens_and_kept_share_counts_all() -> None:
    """rejected: a a a b = 4 tokens, 2 distinct; chosen: a b = 2 tokens. Sets are equal: 1. Kept: 2/4."""
    found = measure("a b", "a a a b", original="a a a b")
    assert (found.jaccard, found.kept_share, found.edit_distance) == (1.0, 2 / 4, 2 / 4)


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        ("", "", Minimality(0, 0, 0.0, 1.0, 1.0, 0, 0.0, ())),
        ("a b", "", Minimality(2, 3, 1.0, 0.0, 1.0, 0, 2.0, (Span(0, 0, 0, 3),))),
        ("", "a b", Minimality(2, 3, 1.0, 0.0, 0.0, 0, 0.0, (Span(0, 3, 0, 0),))),
        (" \n", "", Minimality(0, 2, 0.0, 1.0, 1.0, 0, 0.0, (Span(0, 0, 0, 2),))),
    ],
)
def test_nothing_is_measured_without_dividing_by_it(
    chosen: str, rejected: str, expected: Minimality
) -> None:
    assert measure(chosen, rejected, original=rejected) == expected


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop!", ["Don", "'", "t", "stop", "!"]),
        ("naïve café_1", ["naïve", "café_1"]),
        ("x=3.14", ["x", "=", "3", ".", "14"]),
        ("我喜欢", ["我", "喜", "欢"]),
        ("カタカナ ok", ["カ", "タ", "カ", "ナ", "ok"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("слово ελληνικά", ["слово", "ελληνικά"]),
        ("GPT模型4", ["GPT", "模", "型", "4"]),
        ("a\u00a0b\u2028c", ["a", "b", "c"]),
        ("👩\u200d🚀 👍🏽! ❤\ufe0f 🇩🇪🇫🇷", ["👩\u200d🚀", "👍🏽", "!", "❤\ufe0f", "🇩🇪", "🇫🇷"]),
        ("किताब मेज़ पर है।", ["किताब", "मेज़", "पर", "है", "।"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("كَتَبَ الوَلَدُ", ["كَتَبَ", "الوَلَدُ"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("น้ำดื่ม", ["น้", "ำ", "ดื่", "ม"]),
        ("cafe\u0301s", ["cafe\u0301s"]),
    ],
)
def test_tokens_are_words_marks_and_characters_of_scripts_without_spaces(
    text: str, tokens: list[str]
) -> None:
    assert WORD.findall(text) == tokens


def test_one_changed_word_of_a_hindi_sentence_is_one_edit() -> None:
    """Vowel signs are no tokens: five words and a danda, one of them changed."""
    before, after = "यह किताब बहुत अच्छी है।", "यह किताब बहुत पुरानी है।"
    found = measure(after, before, original=before)
    assert (found.token_levenshtein, found.kept_share) == (1, 5 / 6)
    [span] = found.changed_spans
    assert before[span.rejected_start : span.rejected_end] == "अच्छी"


def test_one_changed_character_of_a_chinese_sentence_is_a_small_edit() -> None:
    """Seven characters and a full stop, one of them changed: 1/8. A sentence of one token would be all."""
    found = measure("我喜欢吃苹果吗。", "我喜欢吃苹果呢。", original="我喜欢吃苹果呢。")
    assert (found.edit_distance, found.kept_share) == (1 / 8, 7 / 8)


@pytest.mark.parametrize(
    ("chosen", "rejected", "spans"),
    [
        ("a b c d", "a b d", (Span(4, 4, 4, 6),)),
        ("a b", "a  b", (Span(2, 3, 2, 2),)),
        ("a\nb", "a b", (Span(1, 2, 1, 2),)),
        ("a b\n", "a b", (Span(3, 3, 3, 4),)),
        ("w x y z", "a b c d", (Span(0, 7, 0, 7),)),
        ("one, two", "one two", (Span(3, 3, 3, 4),)),
        ("cat sat", "The cat sat", (Span(0, 4, 0, 0),)),
    ],
)
def test_spans_begin_and_end_where_the_change_does(
    chosen: str, rejected: str, spans: tuple[Span, ...]
) -> None:
    assert changed_spans(chosen, rejected) == spans
    assert rebuilt(chosen, rejected, spans) == chosen


@given(TEXT, TEXT)
@example("a \n b", "a b")
@example(" a", "a ")
@example("\ud800 a", "a \udfff")
def test_spans_turn_rejected_into_chosen(chosen: str, rejected: str) -> None:
    spans = changed_spans(chosen, rejected)
    assert rebuilt(chosen, rejected, spans) == chosen
    assert (spans == ()) == (chosen == rejected)
    for span in spans:
        assert rejected[span[0] : span[1]] != chosen[span[2] : span[3]]
    for before, after in pairwise(spans):
        assert before.rejected_end < after.rejected_start
        assert before.chosen_end < after.chosen_start


@given(TEXT | WORDS, TEXT | WORDS)
def test_distances_are_those_of_naive_algorithms(chosen: str, rejected: str) -> None:
    c, r = WORD.findall(chosen), WORD.findall(rejected)
    found = measure(chosen, rejected, original=rejected)
    spaces = (
        not rejected[a:b].strip() and not chosen[x:y].strip()
        for a, b, x, y in plain_spans(chosen, rejected)
    )
    respaced = sum(spaces) if longest_common(c, r) else 0
    assert found.token_levenshtein == levenshtein(c, r) + respaced
    assert found.char_levenshtein == levenshtein(chosen, rejected)
    assert found.kept_share == (longest_common(c, r) / len(r) if r else 1.0)
    assert found.edit_distance == min(found.token_levenshtein / max(len(c), len(r), 1), 1)
    ends_c, ends_r = ([m.end() for m in WORD.finditer(text)] for text in (chosen, rejected))
    shared = [chosen[:x] == rejected[:y] for x, y in zip(ends_c, ends_r, strict=False)]
    assert found.common_prefix == (shared.index(False) if False in shared else len(shared))


def plain_spans(chosen: str, rejected: str) -> list[Span]:
    """Spans as their definition reads: every token's place, every kept pair of tokens in turn.

    White space at either end is left as it is.
    """
    at_c = [m.span() for m in WORD.finditer(chosen)]
    at_r = [m.span() for m in WORD.finditer(rejected)]
    operations = Levenshtein.opcodes([rejected[a:b] for a, b in at_r], [chosen[a:b] for a, b in at_c])
    kept = [
        (at_r[operation.src_start + i], at_c[operation.dest_start + i])
        for operation in operations
        if operation.tag == "equal"
        for i in range(operation.src_end - operation.src_start)
    ]
    ends = ((len(rejected), len(rejected)), (len(chosen), len(chosen)))
    spans, r, c = [], 0, 0
    for (r_start, r_end), (c_start, c_end) in [*kept, ends]:
        if rejected[r:r_start] != chosen[c:c_start]:
            spans.append(Span(r, r_start, c, c_start))
        r, c = r_end, c_end
    return spans


@given(TEXT | WORDS, TEXT | WORDS)
def test_spans_are_those_of_a_plain_walk(chosen: str, rejected: str) -> None:
    found, plain = changed_spans(chosen, rejected), plain_spans(chosen, rejected)
    assert len(found) == len(plain)
    for span, wide in zip(found, plain, strict=True):
        left = span.rejected_start - wide.rejected_start
        right = wide.rejected_end - span.rejected_end
        assert left == span.chosen_start - wide.chosen_start
        assert right == wide.chosen_end - span.chosen_end
        assert min(left, right) >= 0
        assert not rejected[wide.rejected_start : span.rejected_start].strip()
        assert not rejected[span.rejected_end : wide.rejected_end].strip()
    assert measure(chosen, rejected, original=rejected).changed_spans == found


@given(st.text(max_size=60) | TEXT)
def test_words_are_found_in_runs_as_in_the_whole(text: str) -> None:
    assert list(words(text)) == WORD.findall(text)


@given(WORDS, WORDS)
def test_swapping_the_sides_swaps_the_measures(chosen: str, rejected: str) -> None:
    """Where white space is alike: else each direction takes its own of several shortest alignments."""
    forth, back = measure(chosen, rejected, original=chosen), measure(rejected, chosen, original=chosen)
    for name in ("token_levenshtein", "char_levenshtein", "edit_distance", "jaccard", "common_prefix"):
        assert getattr(forth, name) == getattr(back, name)
    assert forth.kept_share == back.kept_share


@given(TEXT)
def test_a_text_is_no_distance_from_itself(text: str) -> None:
    tokens = len(WORD.findall(text))
    ratio = 1.0 if tokens else 0.0
    assert measure(text, text, original=text) == Minimality(0, 0, 0.0, 1.0, 1.0, tokens, ratio, ())


@given(TEXT, TEXT)
def test_shares_are_shares(chosen: str, rejected: str) -> None:
    found = measure(chosen, rejected, original=rejected)
    for share in (found.edit_distance, found.jaccard, found.kept_share):
        assert 0 <= share <= 1
    assert found.length_ratio >= 0


def test_a_thousand_words_take_milliseconds() -> None:
    words = [f"w{i * i % 499}" for i in range(1000)]
    revised = ["changed" if i % 37 == 0 else word for i, word in enumerate(words)]
    chosen, rejected = " ".join(revised), " ".join(words)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        found = measure(chosen, rejected, original=rejected)
        times.append(time.perf_counter() - started)
    assert found.token_levenshtein == 28
    assert min(times) < 0.02


@pytest.mark.parametrize(
    ("chosen", "rejected", "edits", "prefix"),
    [
        ("for x in y:\n    f(x)", "for x in y:\nf(x)", 1, 5),
        ("    f(x)", "f(x)", 1, 0),
        ("a\nb\nc", "a\r\nb\r\nc", 2, 1),
        ("a  b c", "a b c", 1, 1),
        ("flag = True", "flag = true", 1, 2),
        ("The WHO", "The who", 1, 1),
        ("a x c\n", "a b c", 2, 1),
        ("a c", "a b c", 1, 1),
    ],
)
def test_white_space_between_tokens_that_stay_is_measured(
    chosen: str, rejected: str, edits: int, prefix: int
) -> None:
    """One edit wherever it changed; no edit where tokens came or went, which count themselves."""
    found = measure(chosen, rejected, original=rejected)
    assert (found.token_levenshtein, found.common_prefix) == (edits, prefix)
    assert found.edit_distance == edits / max(len(words(chosen)), len(words(rejected)))
