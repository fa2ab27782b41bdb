"""Settings of engines: speed, patience, keys, and options of requests."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from pairwright.config import ADDED, GATE, OPERATIONAL
from pairwright.engines.addresses import moves
from pairwright.engines.asked import AskedOptions
from pairwright.engines.secrets import is_variable
from pairwright.engines.thoughts import read_marks


class EngineOptions(AskedOptions):
    """How engines work: batches, connections, patience."""

    group: ClassVar[str] = "Engines"

    batch_size: int = Field(default=32, gt=0, json_schema_extra=OPERATIONAL)
    """Sequences that a local model generates at once."""
    max_concurrency: int = Field(default=64, gt=0, json_schema_extra=OPERATIONAL)
    """Most requests open at once at a server; how many really are adapts to what it bears."""
    deadline: float = Field(default=600.0, gt=0, json_schema_extra=OPERATIONAL)
    """Seconds a request may take in all, its retries and waits included."""
    dtype: str = Field(default="auto", pattern="^(auto|float32|bfloat16|float16)$")
    """Number format of a local model: `auto` (as it was saved), `float32`, `bfloat16`, `float16`."""
    trust_remote_code: bool = Field(default=False, json_schema_extra=ADDED)
    """Run the Python code that comes with a model of `hf:`, `vllm:` or `reward:`, where it has its own."""
    reward_ensemble: Literal["mean", "lowest"] = Field(default="mean", json_schema_extra=ADDED)
    """What several reward models (`reward:DIR+DIR`) say of an answer together."""
    device: str = Field(default="auto", json_schema_extra=OPERATIONAL)
    """Where a model of `hf:` runs: `auto` (a GPU when there is one), `cpu`, `cuda`, `cuda:1` …"""
    function_timeout: float = Field(default=30.0, gt=0, json_schema_extra=OPERATIONAL)
    """Seconds that one call of a function (`python:`) or check (`check:`) may take."""
    function_processes: int | None = Field(default=None, gt=0, json_schema_extra=OPERATIONAL)
    """Processes in which functions are called; default one a core, at most 8."""
    allow_code: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Let `check:code` run the programs in answers."""
    api_key_env: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Environment variable that holds the key of the `openai:` server; of several servers,
    `HOST=NAME,HOST=NAME`, and `HOST=-` for one that needs none."""
    server_moved: str = Field(default="", json_schema_extra=OPERATIONAL)
    """Where a server is now that was elsewhere when its answers were made: `OLD=NEW`, two URLs; several
    with commas. Specs keep the old one, and nothing is asked again."""
    batch: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Let a server answer by batch jobs: at a lower price, within a day. A command that was stopped
    finds its jobs again."""
    cancel: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Cancel the batch jobs of a run that was stopped, and keep what they had answered."""
    thinking_tags: str = Field(default="auto", json_schema_extra=GATE | ADDED)
    """Tags around a model's thoughts, `OPENING,CLOSING`, beside those that are known; `none`: thoughts are
    left in the answers."""
    engine: dict[str, str] = Field(default={}, json_schema_extra=OPERATIONAL)
    """Any argument of vLLM for a `vllm:` engine, by its name: `--engine.max_model_len 4096`,
    `--engine.tensor_parallel_size 2` …; and `--engine.python`, the Python that has vLLM."""

    @field_validator("api_key_env")
    @classmethod
    def _are_variables(cls, given: str) -> str:
        for host, equals, name in (piece.strip().rpartition("=") for piece in given.split(",")):
            if name and not is_variable(name):
                whose = f" for {host}" if equals else ""
                raise ValueError(
                    f"what is given{whose} is no name of an environment variable; where it is the secret "
                    "itself: settings are shown and stored, so export it as NAME, and give NAME here"
                )
        return given

    @field_validator("server_moved")
    @classmethod
    def _are_moves(cls, given: str) -> str:
        moves(given)
        return given

    @property
    def sends_batches(self) -> bool:
        """Whether batch jobs are sent, or sought."""
        return self.batch or self.cancel

    @field_validator("thinking_tags")
    @classmethod
    def _are_tags(cls, given: str) -> str:
        read_marks(given)
        return given
