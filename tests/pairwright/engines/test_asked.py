"""What is asked beside the messages: read by role, part of the identity, and no place for keys."""

import pytest
from pydantic import ValidationError

from pairwright.cli import main
from pairwright.engines import EngineOptions
from pairwright.engines.asked import ASKED
from pairwright.engines.kinds import engine_identity
from pairwright.engines.pool import EnginePool
from pairwright.errors import UsageError

SERVER = "openai:m@http://127.0.0.1:1/v1"


def test_a_setting_holds_for_all_engines_or_by_role() -> None:
    options = EngineOptions(thinking="reviser=on,judge=off", extra_body='{"top_k": 5}, judge={"top_k": 1}')
    found = {
        role: options.of_role(role, ASKED).asked for role in ("policy", "reviser_2", "judge", "judge_1")
    }
    assert [asked.thinking for asked in found.values()] == ["auto", "on", "off", "off"]
    assert [asked.body["top_k"] for asked in found.values()] == [5, 5, 1, 1]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("extra_body", '{"top_k": 20', "not JSON"),
        ("extra_body", "[1]", "no JSON object"),
        ("extra_body", '{"seed": 1}', "`seed` cannot be given here"),
        ("extra_body", '{"api_key": "sk-1"}', "looks like a secret"),
        ("extra_headers", '{"x-api-key": "sk-1"}', "looks like a secret"),
        ("extra_headers", '{"Authorization": "Bearer sk-1"}', "looks like a secret"),
        ("extra_headers", '{"X-Auth": "abc"}', "`X-Auth` looks like a secret"),
        ("extra_headers", '{"X-Tenant": "sk-0123456789"}', "`X-Tenant` looks like a secret"),
        ("extra_body", '{"provider": {"api_key": "abc"}}', "`api_key` looks like a secret"),
        ("extra_body", '{"fallbacks": [{"auth_token": "abc"}]}', "`auth_token` looks like a secret"),
        ("extra_body", '{"token": "abc"}', "`token` looks like a secret"),
        ("chat_template_kwargs", '{"who": "gsk_0123456789"}', "`who` looks like a secret"),
        ("api_key_env", "sk-0123456789", "is no name of an environment variable"),
        ("api_key_env", "api.mistral.ai=a1b2c3d4e5f6a1b2c3d4e5f6", "given for api.mistral.ai is no name"),
        ("extra_headers", '{"a b": "c"}', "a header has a name"),
        ("extra_headers", '{"a": 1}', "a header has a name"),
        ("chat_template_kwargs", '{"messages": []}', "cannot be given"),
        ("chat_template_kwargs", '{"a": 1}, {"a": 2}', "given twice"),
        ("thinking", "perhaps", "write on, off or auto"),
        ("reasoning_effort", "very much", "one word"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(setting: str, value: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        EngineOptions(**{setting: value})
    assert caught.value.error_count() == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("extra_body", '{"stop_token_ids": [1], "use_auth_token": true, "max_tokens_per_doc": 5}'),
        ("chat_template_kwargs", '{"bos_token": "<s>", "token_style": "plain"}'),
        ("extra_headers", '{"X-Author": "Ada", "x-api-key": "$MINE", "Authorization": "Token $MINE"}'),
        ("api_key_env", "127.0.0.1:8000=-, api.mistral.ai=MINE,OPENAI_KEY_2"),
    ],
)
def test_what_is_no_secret_is_taken(setting: str, value: str) -> None:
    assert getattr(EngineOptions(**{setting: value}), setting) == value


@pytest.mark.parametrize(("thinking", "effort"), [("off", "low"), ("on", "none")])
def test_what_contradicts_itself_is_refused(thinking: str, effort: str) -> None:
    roles = {"policy": SERVER, "judge": SERVER}
    options = EngineOptions(thinking=f"judge={thinking}", reasoning_effort=effort)
    with pytest.raises(UsageError, match=f"--thinking {thinking} and --reasoning_effort {effort} contra"):
        EnginePool(roles, options)
    one = EngineOptions(thinking=f"judge={thinking}", reasoning_effort=f"policy={effort}")
    assert EnginePool(roles, one).identities["policy"].endswith(f"+effort={effort}")


def test_what_is_asked_is_part_of_which_model_answers() -> None:
    plain = engine_identity(SERVER, EngineOptions())
    asked = [
        {"thinking": "off"},
        {"thinking": "on"},
        {"reasoning_effort": "low"},
        {"extra_body": '{"top_k": 5}'},
        {"extra_body": '{"top_k": 6}'},
        {"chat_template_kwargs": {"enable_thinking": True}},
        {"extra_headers": {"X-Provider": "one"}},
    ]
    found = [engine_identity(SERVER, EngineOptions(**options)) for options in asked]
    assert len({plain, *found}) == len(asked) + 1
    assert all(identity.startswith(plain) for identity in found)
    assert engine_identity(SERVER, EngineOptions(extra_headers={"X-Org": "$MY_ORG"})) == plain
    canned = engine_identity("python:os.path:join", EngineOptions(thinking="off"))
    assert canned == engine_identity("python:os.path:join", EngineOptions())


def test_roles_of_one_spec_share_an_engine_only_where_the_same_is_asked() -> None:
    roles = {"policy": SERVER, "reviser": SERVER, "judge": SERVER}
    pool = EnginePool(roles, EngineOptions(thinking="judge=off"))
    assert pool.identities["policy"] == pool.identities["reviser"] != pool.identities["judge"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"thinking": "reviser=off"}, "no engine here is reviser; policy, judge are"),
        ({"extra_headers": {"a": "b"}}, "for openai:, and no engine here"),
        ({"extra_body": 'policy={"top_k": 1}'}, "no engine policy is one of these"),
    ],
)
def test_a_setting_that_nobody_heeds_is_refused(options: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        EnginePool({"policy": "hf:smollm2", "judge": "vllm:smollm2"}, EngineOptions(**options))


def test_a_key_on_the_command_line_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", SERVER, "--extra_headers", '{"x-api-key": "sk-very-secret"}'])
    said = capsys.readouterr().err
    assert "--extra_headers: `x-api-key` looks like a secret" in said
    assert "sk-very-secret" not in said
