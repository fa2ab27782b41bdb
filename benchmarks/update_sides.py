"""An update of preference training, by pairwright and by TRL: two sides that take the same calls."""

import argparse
from contextlib import ExitStack
from typing import Any, Protocol

import torch

LEARNING_RATE = 1e-6


def settings_of(
    parser: argparse.ArgumentParser, *, limit: int, about: str, passes: int, threads: int
) -> None:
    """Add the settings of an update, with defaults for pairs, tokens of a pass and threads."""
    parser.add_argument("--pairs", required=True, help="pairs: run folder, Parquet or JSONL")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--loss", default="dpo")
    parser.add_argument("--limit", type=int, default=limit, help=about)
    parser.add_argument("--max_length", type=int, default=512)
    parser.add_argument("--micro_batch_tokens", type=int, default=passes)
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument(
        "--edited", action="store_true", help="rejected answers of the file, and the same with one edit"
    )


class Side(Protocol):
    """One of the two trainers."""

    def update(self, indices: list[int], *, with_reference: bool) -> tuple[float, float]:
        """Make an update; returns its loss and the norm of its gradient."""


class Ours:
    """pairwright, as `pairwright train` does it."""

    def __init__(self, args: argparse.Namespace) -> None:
        from train.devices.accelerator import accelerator_for
        from train.devices.memory import freed_memory_kept
        from train.devices.replicated import Replicated
        from train.output.metrics import MetricSums
        from train.preference.config import TrainConfig
        from train.preference.reference import with_reference
        from train.preference.task import PreferenceTask
        from train.trainer.task import Run

        self._config = TrainConfig(
            model=args.model,
            data=(args.pairs,),
            output_dir="unused",
            loss=args.loss,
            eval_share=0.0,
            bf16=args.dtype == "bf16",
            max_length=args.max_length,
            micro_batch_tokens=args.micro_batch_tokens,
        )
        task = PreferenceTask(self._config)
        self._running = ExitStack()  # ends with this object
        self._running.enter_context(freed_memory_kept())
        self._accelerator = self._running.enter_context(accelerator_for(self._config))
        self._pairs = read_pairs(args)
        model = task.load_model(bf16=self._config.bf16)
        strategy = Replicated(self._accelerator, model)
        self._trainee = Run(strategy, task, args.micro_batch_tokens)
        self._with_reference = with_reference
        self._data = with_reference(
            self._accelerator, strategy.policy, self._pairs, budget=args.micro_batch_tokens
        )
        self._sums = MetricSums(self._accelerator.device, task.metrics)
        self._weights = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = adamw(self._weights)

    def reference(self) -> dict[int, tuple[float, float]]:
        """Reference log-probabilities by pair."""
        return {i: (float(w), float(r)) for i, (w, r) in enumerate(self._data.ref_PK.tolist())}

    def update(self, indices: list[int], *, with_reference: bool) -> tuple[float, float]:
        """What `train.trainer.trainer` does between two lines of metrics."""
        from train.trainer.gradient import add_gradient

        if with_reference:
            self._with_reference(
                self._accelerator,
                self._trainee.policy,
                [self._pairs[i] for i in indices],
                budget=self._trainee.micro_batch_tokens,
            )
        self._sums.clear()
        add_gradient(self._trainee, self._data, indices, self._sums)
        norm = torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return self._sums.means(self._accelerator)["loss"], norm.item()


class Theirs:
    """TRL's DPOTrainer: its loss on its kind of batch, summed over the micro-batches of an update."""

    def __init__(self, args: argparse.Namespace) -> None:
        import trl
        from datasets import Dataset
        from transformers import AutoModelForCausalLM

        from pairwright.models.loading import load_tokenizer
        from pairwright.models.names import resolve_model

        self._pairs, self._size, self._sorted = read_pairs(args), args.trl_batch, args.trl_sorted
        place = resolve_model(args.model)
        self._policy, reference = (
            AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32) for _ in range(2)
        )
        self._trainer = trl.DPOTrainer(
            model=self._policy,
            ref_model=reference,
            args=trl.DPOConfig(
                output_dir="unused",
                loss_type=[{"dpo": "sigmoid"}.get(args.loss, args.loss)],
                beta=0.1,
                use_cpu=not torch.cuda.is_available(),
                bf16=args.dtype == "bf16",
                gradient_checkpointing=False,
                report_to="none",
            ),
            train_dataset=Dataset.from_list([{"prompt": "Q", "chosen": "good", "rejected": "bad"}]),
            processing_class=load_tokenizer(args.model),
        )
        self._weights = list(self._policy.parameters())
        self._optimizer = adamw(self._weights)
        self._device = next(self._policy.parameters()).device
        self._reference: dict[int, tuple[float, float]] = {}

    def update(self, indices: list[int], *, with_reference: bool) -> tuple[float, float]:
        """One update over micro-batches."""
        trainer, total = self._trainer, 0.0
        trainer.precompute_ref_logps = not with_reference
        ordered = sorted(indices, key=lambda i: -self._pairs[i].longest) if self._sorted else indices
        for start in range(0, len(ordered), self._size):
            chunk = ordered[start : start + self._size]
            batch = self._batch(chunk)
            if not with_reference:
                batch |= self._given(chunk)
            with trainer.compute_loss_context_manager():
                loss = trainer._compute_loss(self._policy, batch, return_outputs=False)
            share = len(chunk) / len(indices)
            trainer.accelerator.backward(loss * share)
            total += loss.item() * share
        norm = torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return total, norm.item()

    def _batch(self, chunk: list[int]) -> dict[str, torch.Tensor]:
        """Chosen sequences, then rejected ones, padded on the right, as TRL's collator has them."""
        pairs = [self._pairs[i] for i in chunk]
        sides = [(p.prompt_tokens, p.chosen_ids) for p in pairs]
        sides += [(p.prompt_tokens, p.rejected_ids) for p in pairs]
        width = max(len(prompt) + len(answer) for prompt, answer in sides)
        names = ("input_ids", "attention_mask", "completion_mask")
        batch = {name: torch.zeros(len(sides), width, dtype=torch.long) for name in names}
        for row, (prompt, answer) in enumerate(sides):
            end = len(prompt) + len(answer)
            batch["input_ids"][row, :end] = torch.tensor([*prompt.tolist(), *answer.tolist()])
            batch["attention_mask"][row, :end] = 1
            batch["completion_mask"][row, len(prompt) : end] = 1
        return {name: part.to(self._device) for name, part in batch.items()}

    def _given(self, chunk: list[int]) -> dict[str, torch.Tensor]:
        """Reference log-probabilities as TRL's precomputation leaves them in the batch."""
        chosen, rejected = zip(*(self._reference[i] for i in chunk), strict=True)
        return {
            "ref_chosen_logps": torch.tensor(chosen, device=self._device),
            "ref_rejected_logps": torch.tensor(rejected, device=self._device),
        }

    def give_reference(self, reference: dict[int, tuple[float, float]]) -> None:
        """Take reference log-probabilities by pair."""
        self._reference = reference


def adamw(weights: list[torch.Tensor]) -> torch.optim.Optimizer:
    """The optimizer of both sides."""
    return torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.0, fused=True)


def read_pairs(args: argparse.Namespace) -> list[Any]:
    """The first pairs of the file that fit, as token ids."""
    from pairwright.inputs.pairs import read_pairs as read
    from pairwright.models.loading import load_tokenizer
    from train.data.pairs import encode_pairs

    rows = read((args.pairs,), 4 * args.limit)
    kept, _ = encode_pairs(rows, load_tokenizer(args.model), args.max_length)
    return [edited(pair) if args.edited else pair for pair in kept[: args.limit]]


def edited(pair: Any) -> Any:
    """The pair with a chosen answer that is its rejected one but for a tenth of it in the middle."""
    chosen = pair.rejected_ids.copy()
    first = len(chosen) * 9 // 20
    chosen[first : max(len(chosen) * 11 // 20, first + 1)] ^= 1
    return pair._replace(chosen_ids=chosen)
