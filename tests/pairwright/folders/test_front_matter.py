"""The head of a card, beside the hub's own client."""

from pathlib import Path

import pytest
from huggingface_hub import DatasetCardData
from huggingface_hub.repocard import metadata_load
from hypothesis import given
from hypothesis import strategies as st

from pairwright.folders.front_matter import front_matter, with_front_matter

words = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.none() | st.booleans() | st.integers() | words | st.lists(words, max_size=3)
names = st.sampled_from(["license", "tags", "configs", "language", "name of ours"])
fields = st.dictionaries(names, values)


@given(fields)
def test_it_is_written_as_the_hubs_client_writes_it(front):
    written = DatasetCardData(**front).to_yaml(original_order=list(front))
    assert with_front_matter("\n# Card\n", front) == f"---\n{written}\n---\n\n# Card\n"


@pytest.mark.parametrize(
    "text",
    [
        "---\nlicense: mit\ntags: [a, b]\n---\n\n# Card\n",
        "\ufeff---\r\nlicense: mit\r\n---\r\n# Card\r\n",
        " \n---\nlicense: mit\n--- \t\n",
        "---\nlicense: mit\n---",
        "---\n1: mit\n---\n\n---\nlicense: other\n---\n",
        "---\n\n---\n# Card\n",
        "# Card\n\n---\nlicense: mit\n---\n",
        "---\nlicense: mit\n# Card\n",
        "",
    ],
)
def test_it_is_read_as_the_hubs_client_reads_it(tmp_path: Path, text: str):
    card = tmp_path / "README.md"
    card.write_bytes(text.encode())
    read = metadata_load(card) or {}
    assert front_matter(card) == {str(name): value for name, value in read.items()}


@pytest.mark.parametrize("text", [b"---\na: [\n---\n", b"---\n- a\n---\n", b"---\na: \xff\n---\n", None])
def test_what_cannot_be_read_is_no_head(tmp_path: Path, text: bytes | None):
    card = tmp_path / "README.md"
    if text is not None:
        card.write_bytes(text)
    assert front_matter(card) == {}
