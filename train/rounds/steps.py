"""The parts that the steps of a loop and of a game share: where they write, and by which engine."""

from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pairwright.engines.options import EngineOptions
from pairwright.stages.config import SampleSettings
from pairwright.stages.sample import SampleConfig
from train.config import TrainingSettings
from train.rounds.config import engine_of, on_one_device
from train.rounds.folder import round_folder

S = TypeVar("S", bound=EngineOptions)


class Sections(Protocol):
    """The settings of rounds that every step uses."""

    @property
    def model(self) -> str: ...
    @property
    def sample(self) -> SampleSettings: ...
    @property
    def train(self) -> TrainingSettings: ...


C = TypeVar("C", bound=Sections)


class RoundSteps(Generic[C]):
    """The steps of round `number` of the rounds in `folder`, with their settings."""

    trained: ClassVar[str]
    """Name of the folder of a round's model."""

    def __init__(self, config: C, folder: Path, number: int) -> None:
        self._config = config
        self._folder = folder
        self._number = number
        self.here = round_folder(folder, number)

    def model(self, number: int) -> str:
        """Return the model after a round; the one at the start for 0."""
        return str(round_folder(self._folder, number) / self.trained) if number else self._config.model

    def _sampling(self, number: int, prompts: Path, out: str, **managed: Any) -> SampleConfig:
        """Answers of the model after a round to a file of prompts."""
        return self._placed(self._config.sample).into(
            SampleConfig,
            input=str(prompts),
            out=self._at(out),
            policy=engine_of(self._config.sample.policy, self.model(number)),
            **managed,
        )

    def _at(self, name: str) -> str:
        return str(self.here / name)

    def _placed(self, section: S) -> S:
        return on_one_device(section, use_cpu=self._config.train.use_cpu)
