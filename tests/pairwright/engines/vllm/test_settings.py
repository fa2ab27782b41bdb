"""What can be wrong before vLLM runs, and what of its settings makes another model."""

import os
import sys
from pathlib import Path

import pytest
from asking import job
from in_process import run
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model

from pairwright.engines.kinds import engine_identity
from pairwright.engines.options import EngineOptions
from pairwright.engines.vllm.engine import VLLMEngine
from pairwright.engines.vllm.settings import vllm_python, worker_environment
from pairwright.errors import PairwrightError, UsageError


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


def program(folder: Path, body: str) -> str:
    """A program in the place of the Python that has vLLM; it gets the worker's file as its argument."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return str(path)


def opened(model: str, **settings: str) -> VLLMEngine:
    return VLLMEngine(model, EngineOptions(engine=settings), f"vllm:{model}")


def test_no_vllm_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'pairwright\[vllm\]'.*--engine\.python PATH"):
        vllm_python({}, {})
    with pytest.raises(UsageError, match=r"PAIRWRIGHT_VLLM_PYTHON /no/python: there is no such program"):
        vllm_python({}, {"PAIRWRIGHT_VLLM_PYTHON": "/no/python"})
    with pytest.raises(UsageError, match=r"--engine\.python /neither"):
        vllm_python({"python": "/neither"}, {"PAIRWRIGHT_VLLM_PYTHON": sys.executable})
    assert vllm_python({}, {"PAIRWRIGHT_VLLM_PYTHON": sys.executable}) == sys.executable


def test_a_python_without_vllm_is_named(tiny: str, tmp_path: Path) -> None:
    bare = program(
        tmp_path, "import os, sys; os.execv(sys.executable, [sys.executable, '-I', '-S', sys.argv[1]])"
    )
    with pytest.raises(UsageError, match=r"vllm cannot be imported by .*: No module named 'vllm'"):
        opened(tiny, python=bare)


def test_a_worker_that_dies_at_once_shows_the_end_of_its_log(tiny: str, tmp_path: Path) -> None:
    broken = program(tmp_path, "raise RuntimeError('no such accelerator')")
    with pytest.raises(UsageError) as caught:
        opened(tiny, python=broken)
    assert str(caught.value).endswith(
        "it ended while it was starting; its log says: RuntimeError: no such accelerator"
    )


REFUSING = """
import json, sys
sys.stdin.readline()
def note(text):
    print(f"(EngineCore pid=7) ERROR 11-21 12:00:00 [c:1] {text}", file=sys.stderr)
note("ValueError: no room for the cache: decrease `--gpu-memory-utilization`")
note("Exception: WorkerProc initialization failed. See stack trace for root cause.")
failed = "Engine core initialization failed. See root cause above."
print(f"RuntimeError: {failed}", file=sys.stderr, flush=True)
print(json.dumps({"refused": failed}), flush=True)
"""


def test_a_cause_above_is_brought_down(tiny: str, tmp_path: Path) -> None:
    """The user sees no log, so what the last error points to must stand in the sentence."""
    with pytest.raises(UsageError, match=r"no room .* `--engine\.gpu_memory_utilization`$"):
        opened(tiny, python=program(tmp_path, REFUSING))


CRASHING = """
import json, sys
sys.stdin.readline()
print(json.dumps({"ready": {"vllm": "0", "context": 200, "sequences": 4}}), flush=True)
sys.stdin.readline()
raise MemoryError("out of luck")
"""


def test_a_crash_loop_ends_in_one_sentence(tiny: str, tmp_path: Path) -> None:
    """Three processes, each of which dies of the first thing it is asked."""
    engine = opened(tiny, python=program(tmp_path, CRASHING))
    engine.submit(job("Hi"))
    with pytest.raises(PairwrightError) as caught:
        engine.poll()
    engine.close()
    sentence = str(caught.value)
    assert "broke down 3 times with no answer between" in sentence
    assert "its log says: MemoryError: out of luck" in sentence
    assert sentence.endswith("run the same command again")
    assert "\n" not in sentence


def test_a_silent_worker_is_given_up_after_the_deadline(tiny: str, tmp_path: Path) -> None:
    silent = CRASHING.replace('raise MemoryError("out of luck")', "sys.stdin.read()")
    options = EngineOptions(engine={"python": program(tmp_path, silent)}, deadline=0.5)
    engine = VLLMEngine(tiny, options, f"vllm:{tiny}")
    engine.submit(job("Hi"))
    with pytest.raises(PairwrightError, match=r"broke down 3 times .* nothing came from it for 0\.5 s"):
        engine.poll()
    engine.close()


def test_a_model_without_a_chat_template_is_refused_before_vllm_starts(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    (tmp_path / "tiny" / "chat_template.jinja").unlink()
    with pytest.raises(UsageError, match="has no chat template"):
        opened(folder, python="true")
    with pytest.raises(UsageError, match="there is no such folder"):
        opened(str(tmp_path / "absent"), python="true")


def test_settings_that_change_the_model_change_its_identity(tiny: str) -> None:
    def identity(**settings: str) -> str:
        return engine_identity(f"vllm:{tiny}", EngineOptions(engine=settings))

    plain = identity()
    assert identity(max_model_len="512", tensor_parallel_size="2", python="/x") == plain
    others = {identity(quantization="fp8"), identity(kv_cache_dtype="fp8"), identity(anything_new="1")}
    assert len({plain, *others}) == 4
    assert plain.startswith("vllm:folder@")


def test_the_worker_gets_no_secrets() -> None:
    environ = {"OPENAI_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "HF_TOKEN": "t", "PYTHONPATH": "/x"}
    kept = worker_environment("/elsewhere/python", os.environ | environ)
    assert kept["HF_TOKEN"] == "t"  # models may be gated
    assert not {"OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & set(kept)
    assert worker_environment(sys.executable, environ)["PYTHONPATH"] == "/x"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--engine.max_model_len", "9"], "--engine.max_model_len: settings of vLLM, and no engine here"),
        (["--engine.enforce_eager"], "--engine.enforce_eager needs a value"),
        (["--engine.enforce_eager", "--n", "2"], "--engine.enforce_eager needs a value"),
        (["--engine", "9"], "--engine is written with a name: --engine.NAME VALUE"),
        (["--engin.max_model_len", "9"], "no option --engin.max_model_len; did you mean --engine"),
    ],
)
def test_misspelt_settings_are_one_sentence(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, flags: list[str], sentence: str
) -> None:
    prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Hi"}])
    replies = write_jsonl(tmp_path / "r.jsonl", [{"text": "Hello"}])
    command = ["sample", str(prompts), "--policy", f"canned:{replies}", "--out", str(tmp_path / "run")]
    code, _, err = run(capfd, *command, *flags)
    assert code == 2
    assert sentence in err
    assert not (tmp_path / "run").exists()


def test_settings_in_a_file_join_those_of_the_command_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A flag beats the file; what only the file says is kept. Seen in the sentence about them."""
    prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Hi"}])
    replies = write_jsonl(tmp_path / "r.jsonl", [{"text": "Hello"}])
    settings = tmp_path / "s.yaml"
    settings.write_text(f"policy: canned:{replies}\nengine.aaa: 1\n")
    command = ["sample", str(prompts), "--config", str(settings), "--out", str(tmp_path / "run")]
    code, _, err = run(capfd, *command, "--engine.zzz", "2")
    assert (code, "--engine.aaa: settings of vLLM" in err) == (2, True), err
    settings.write_text("engine.aaa: [1, 2]\n")
    code, _, err = run(capfd, *command)
    assert code == 2
    assert "line 1: `engine.aaa` must be one value" in err
