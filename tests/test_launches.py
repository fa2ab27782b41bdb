"""The launch configurations that are shipped: read by accelerate's own loader, and what they ask for."""

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import FullyShardedDataParallelPlugin
from ranks import CONFIGS, launched_with

KINDS = {
    "single_gpu.yaml": ("NO", 1, 1),
    "multi_gpu.yaml": ("MULTI_GPU", 1, 8),
    "fsdp2.yaml": ("FSDP", 1, 8),
    "fsdp2_multi_node.yaml": ("FSDP", 2, 16),
}


def test_each_configuration_is_known_here():
    assert {path.name for path in CONFIGS.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_reads_it_as_it_is_meant(name):
    found = load_config_from_file(str(CONFIGS / name))
    assert (str(found.distributed_type).split(".")[-1], found.num_machines, found.num_processes) == KINDS[
        name
    ]
    written = yaml.safe_load((CONFIGS / name).read_text())
    assert written.keys() <= found.to_dict().keys()


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith("fsdp2")])
def test_sharding_is_asked_for_as_training_takes_it(name, monkeypatch):
    for key, value in launched_with(name).items():
        monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert not plugin.cpu_ram_efficient_loading
    assert not plugin.activation_checkpointing
