"""Sample, revise, train and look, from Python: `python examples/in_python.py examples/prompts.jsonl`."""

import argparse

import pairwright as pw

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("prompts")
parser.add_argument("--engine", default="hf:smollm2", help="policy and reviser")
parser.add_argument("--model", default="smollm2", help="what to train")
parser.add_argument("--out", default="runs")
parser.add_argument("--limit", type=int)
given = parser.parse_args()

answers = pw.sample(
    given.prompts, policy=given.engine, n=2, max_tokens=160, limit=given.limit, out=f"{given.out}/answers"
)
pairs = pw.revise(
    answers, reviser=given.engine, template="revise_small", reply="bare", out=f"{given.out}/pairs"
)
print(pairs.counts)
print(pairs.frame().select("edit_distance", "kept_share").describe())

model = pw.train(
    data=pairs,
    model=given.model,
    loss="apo_zero",
    beta=0.5,
    learning_rate=2e-5,
    pairs_per_update=8,
    output_dir=f"{given.out}/model",
)
print(model.counts["updates"], "updates on", model.counts["pairs"], "pairs")
print(model.figures.in_words)
pw.report(pairs, model, out=f"{given.out}/report.html")
