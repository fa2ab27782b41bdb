"""All answers in one question (`--protocol rank`) against two at a time, on labelled pairs among others.

    python benchmarks/rank_judging.py labelled.parquet others.parquet --judge hf:smollm2 --rows 40

The first file has pairs with labels (`response_a`, `response_b`, `preference`), the second further answers
to the same prompts. Each prompt has K answers: the two with a label and others. Told for each protocol, of
all pairs of the K: agreement with the label on the labelled pair, undecided counting half; verdicts that
agree in every order; questions and tokens of prompts. `pair` is what the labelled pair alone costs; at
equal cost, compare `rank` with as many rows of `logprob` as its tokens pay for.
"""

import argparse
from itertools import combinations, islice

from judge.calibration.agreement import point
from judge.jury.config import JuryConfig
from judge.jury.jury import Jury
from judge.jury.protocol import Case
from pairwright.engines import EngineOptions
from pairwright.engines.pool import EnginePool
from pairwright.figures.intervals import share
from pairwright.inputs.sources import records
from pairwright.records import Job, content_hash


def text_of(value):
    return value if isinstance(value, str) else value[-1]["content"]


def cases(args):
    """Prompts with the better answer first, the worse one second, and others behind."""
    further = {}
    for record in records(args.others):
        texts = [text_of(value) for name, value in record.items() if name != "prompt" and value]
        further[text_of(record["prompt"])] = texts
    for record in records(args.labelled):
        prompt = text_of(record["prompt"])
        others = [text for text in further.get(prompt, []) if text]
        if record["preference"] not in (1, 2) or len(others) < args.answers - 2:
            continue
        pair = [text_of(record["response_a"]), text_of(record["response_b"])]
        texts = [*pair[:: 1 if record["preference"] == 1 else -1], *others][: args.answers]
        if max(map(len, texts)) <= args.characters and len(set(texts)) == args.answers:
            yield Case(content_hash([prompt])[:16], prompt, tuple(texts))


def decided(jury, pairs, case, engine):
    """The decisions of one case, and what they cost: questions, and tokens of prompts."""
    work, questions, tokens = jury.decide(case, pairs), 0, 0
    requests = next(work)
    while True:
        jobs = [Job(key=str(n), request=request) for n, request in enumerate(requests)]
        for job in jobs:
            engine.submit(job)
        found = {}
        while len(found) < len(jobs):
            found |= dict(engine.poll(None))
        questions += len(jobs)
        tokens += sum(completion.prompt_tokens for completion in found.values())
        try:
            requests = work.send([found[job.key] for job in jobs])
        except StopIteration as stop:
            return stop.value, questions, tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("labelled")
    parser.add_argument("others")
    parser.add_argument("--judge", default="hf:smollm2")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--answers", type=int, default=4, help="K")
    parser.add_argument("--characters", type=int, default=800, help="of the longest answer")
    parser.add_argument("--ways", nargs="*", choices=("pair", "logprob", "rank"), help="only these")
    args = parser.parse_args()
    chosen = list(islice(cases(args), args.rows))
    everybody = list(combinations(range(args.answers), 2))
    print(f"{len(chosen)} prompts with {args.answers} answers, judged by {args.judge}")
    ways = {"pair": ("logprob", [(0, 1)]), "logprob": ("logprob", everybody), "rank": ("rank", everybody)}
    for name in args.ways or ways:
        protocol, pairs = ways[name]
        jury = Jury(JuryConfig(judge=args.judge, protocol=protocol))
        right, steady, questions, tokens = [], [], 0, 0
        with EnginePool(jury.roles, EngineOptions()) as engines:
            for case in chosen:
                found, asked, read = decided(jury, pairs, case, engines["judge"])
                questions, tokens = questions + asked, tokens + read
                right += [] if found[0].preference is None else [point(found[0].preference)]
                steady += [float(decision.consistent) for decision in found]
        rates = (share(right), share(steady))
        said = [f"{r.value:.1%} ({r.low:.1%} - {r.high:.1%})" if r.n else "-" for r in rates]
        cost = f"{questions / len(chosen):.1f} questions, {tokens / len(chosen):,.0f} tokens a prompt"
        print(f"{name:8} agreement {said[0]}; the same in all orders {said[1]}; {cost}", flush=True)


if __name__ == "__main__":
    main()
