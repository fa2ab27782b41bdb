"""Keys of requests: what earlier runs have in their journals is found again."""

from pairwright.records import Request, Sampling, conversation


def test_a_request_has_the_key_that_it_has_always_had() -> None:
    asked = Request(
        role="judge",
        messages=conversation("Name a tree."),
        sampling=Sampling(max_tokens=4, temperature=0, logprobs=5),
        choices=("C", "D"),
        template="ab",
        sample_index=2,
    )
    assert asked.key("m@1") == "102357a10a4d192c50231eee635d1e50"
    assert asked.model_copy(update={"role": "judge_1"}).key("m@1") == asked.key("m@1")
