"""What the checker published with IFEval says of stored answers, by the copy of it in lm-eval.

python published_ifeval.py ANSWERS     prints a line of JSON for each: `strict` and `loose`

Run with lm-eval, and with `llama-index-core` for its copy of nltk's word lists, on the path. Of lm-eval
only the folder of the checker is imported, which needs none of the rest.
"""

import importlib.util
import json
import logging
import os
import sys
import types
from pathlib import Path


def main(answers: Path) -> None:
    """Print the verdicts."""
    lists = Path(str(importlib.util.find_spec("llama_index.core").origin)).parent  # type: ignore[union-attr]
    os.environ["NLTK_DATA"] = str(lists / "_static" / "nltk_cache")
    root = Path(str(importlib.util.find_spec("lm_eval").origin)).parent  # type: ignore[union-attr]
    for name in ("lm_eval", "lm_eval.tasks", "lm_eval.tasks.ifeval"):
        module = types.ModuleType(name)
        module.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module
    import langdetect
    from lm_eval.tasks.ifeval import utils

    logging.disable(logging.CRITICAL)
    langdetect.DetectorFactory.seed = 0
    for number, line in enumerate(answers.read_text().splitlines()):
        row = json.loads(line)
        asked = utils.InputExample(number, row["instruction_id_list"], row["prompt"], row["kwargs"])
        strict = utils.test_instruction_following_strict(asked, row["answer"])
        loose = utils.test_instruction_following_loose(asked, row["answer"])
        found = {"strict": strict.follow_instruction_list, "loose": loose.follow_instruction_list}
        print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
