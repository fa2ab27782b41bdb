"""Remarks told by where they stand: before or after what is nearly the answer."""

import pytest

from pairwright.pairs.minimality import measure
from revise.config import GateConfig
from revise.gates import Revision, check
from revise.set_apart import remark_apart

WRONG = "The Thames flows through Paris. It is about 346 kilometres long, and ends in the North Sea."
RIGHT = WRONG.replace("Paris", "London")

BEFORE = [
    "Right, the reply minus the blunder:",
    "**My take on your text, errors removed:**",
    "So lautet der Text ohne den Fehler:",
    "Votre réponse, débarrassée de son erreur :",
    "改好的文本如下：",
    "Ваш текст без ошибки:",
    "తప్పులు సరిచేశాక సమాధానం ఇలా ఉంది:",
]
AFTER = ["I left the rest as it stood.", "Den Rest habe ich nicht angefasst.", "Lo demás lo dejé igual."]
HONEST_BEFORE = ["Answer:", "**Final text:**", "Here are the main facts about the river:", "简要介绍："]
HONEST_AFTER = [
    "So the city is London.",
    "The rest of the estuary belongs to Kent and to Essex.",
    "Text: 346 km.",
]


@pytest.mark.parametrize(
    "text",
    [
        *(f"{remark}\n\n{RIGHT}" for remark in BEFORE),
        *(f"{remark} {RIGHT}" for remark in BEFORE),
        *(f"{RIGHT}\n\n{remark}" for remark in AFTER),
    ],
)
def test_a_remark_beside_the_answer_is_found_in_wordings_that_no_list_has(text: str) -> None:
    ending = check(Revision(WRONG, text, measure(text, WRONG, original=WRONG)), GateConfig())
    assert ending.status == "meta_talk"


@pytest.mark.parametrize(
    "text",
    [*(f"{line}\n\n{RIGHT}" for line in HONEST_BEFORE), *(f"{RIGHT}\n\n{line}" for line in HONEST_AFTER)],
)
def test_what_an_answer_gains_at_its_ends_is_no_remark(text: str) -> None:
    assert remark_apart(WRONG, text) is None


@pytest.mark.parametrize("line", BEFORE)
def test_what_the_answer_began_with_already_is_part_of_it(line: str) -> None:
    assert remark_apart(f"{line}\n\n{WRONG}", f"{line}\n\n{RIGHT}") is None
