"""The Python door, for type checkers and editors; written from the commands' settings."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, overload

from pairwright.config import Config
from pairwright.result import Result as Result

class _Dataset(Protocol):
    def to_parquet(self, file: Any, /) -> Any: ...

class _Frame(Protocol):
    def write_parquet(self, file: Any, /) -> Any: ...

_Rows = Sequence[Mapping[str, Any]] | _Dataset | _Frame
_One = str | PathLike[str] | Callable[..., Any] | _Rows
_Named = _One | Sequence[_One]
"""Text, a path, a result, rows; where a name is taken, the object itself."""

@overload
def sample(settings: Config, /) -> Result:
    """Sample answers to prompts."""

@overload
def sample(
    input: _Named,
    *,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    answer_column: _Named | None = ...,
    shard_size: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    ray: bool = ...,
    ray_actors: int = ...,
    ray_gpus: float = ...,
    shard: _Named | None = ...,
    turn: _Named | None = ...,
    policy: _Named,
    n: int = ...,
    max_tokens: int = ...,
    temperature: float = ...,
    top_p: float = ...,
) -> Result:
    """Sample answers to prompts."""

@overload
def revise(settings: Config, /) -> Result:
    """Revise answers into preference pairs."""

@overload
def revise(
    input: _Named,
    *,
    out: _Named = ...,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    answer_column: _Named | None = ...,
    shard_size: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    ray: bool = ...,
    ray_actors: int = ...,
    ray_gpus: float = ...,
    shard: _Named | None = ...,
    turn: _Named | None = ...,
    min_kept_share: float = ...,
    max_edit_distance: float = ...,
    min_length_ratio: float = ...,
    max_length_ratio: float = ...,
    gates: _Named | Sequence[_Named] = ...,
    verify: _Named | None = ...,
    min_gain: float = ...,
    min_score: float | None = ...,
    reviser: _Named,
    direction: Literal["improve", "worsen"] = ...,
    mode: Literal["rewrite", "edits"] = ...,
    edit_unit: Literal["auto", "text", "sentence"] = ...,
    pairs: Literal["whole", "chain"] = ...,
    min_match_ratio: float = ...,
    constrain: bool = ...,
    template: _Named | None = ...,
    reply: Literal["marked", "bare"] = ...,
    max_tokens: int = ...,
    temperature: float = ...,
    top_p: float = ...,
    mirror: _Named | None = ...,
    cross: _Named | None = ...,
    reverse_constraints: bool = ...,
    retry: bool = ...,
    tries: int = ...,
    policy: _Named | None = ...,
    policy_max_tokens: int = ...,
    policy_temperature: float = ...,
) -> Result:
    """Revise answers into preference pairs."""

@overload
def gate(settings: Config, /) -> Result:
    """Gate pairs that others made."""

@overload
def gate(
    input: _Named,
    *,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    answer_column: _Named | None = ...,
    shard_size: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    ray: bool = ...,
    ray_actors: int = ...,
    ray_gpus: float = ...,
    shard: _Named | None = ...,
    min_kept_share: float = ...,
    max_edit_distance: float = ...,
    min_length_ratio: float = ...,
    max_length_ratio: float = ...,
    gates: _Named | Sequence[_Named] = ...,
    verify: _Named | None = ...,
    min_gain: float = ...,
    min_score: float | None = ...,
    chosen_column: _Named | None = ...,
    rejected_column: _Named | None = ...,
    direction: Literal["improve", "worsen"] = ...,
) -> Result:
    """Gate pairs that others made."""

@overload
def judge(settings: Config, /) -> Result:
    """Compare answers into preference pairs."""

@overload
def judge(
    input: _Named,
    *,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    answer_column: _Named | None = ...,
    shard_size: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    ray: bool = ...,
    ray_actors: int = ...,
    ray_gpus: float = ...,
    shard: _Named | None = ...,
    turn: _Named | None = ...,
    columns: _Named | None = ...,
    policy: _Named | None = ...,
    policies: _Named | None = ...,
    n: int | None = ...,
    policy_max_tokens: int = ...,
    policy_temperature: float = ...,
    judge: _Named | None = ...,
    protocol: Literal["logprob", "choice", "text", "score", "rank"] | _Named | None = ...,
    agree: Literal["majority", "all", "mean"] = ...,
    min_margin: float = ...,
    min_label_mass: float = ...,
    aspects: _Named = ...,
    judge_template: _Named | None = ...,
    rubric: _Named | None = ...,
    reasoning_tokens: int = ...,
    verify: _Named | None = ...,
    min_gain: float = ...,
    min_score: float | None = ...,
    pairs: Literal["best_worst", "all"] = ...,
    max_failed: float = ...,
    min_agreement: float | None = ...,
    calibration: _Named | None = ...,
    stronger: _Named | None = ...,
) -> Result:
    """Compare answers into preference pairs."""

@overload
def calibrate(settings: Config, /) -> Result:
    """Measure a judge on labels."""

@overload
def calibrate(
    input: _Named,
    *,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    answer_column: _Named | None = ...,
    shard_size: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    judge: _Named | None = ...,
    protocol: Literal["logprob", "choice", "text", "score", "rank"] | _Named | None = ...,
    agree: Literal["majority", "all", "mean"] = ...,
    min_margin: float = ...,
    min_label_mass: float = ...,
    aspects: _Named = ...,
    judge_template: _Named | None = ...,
    rubric: _Named | None = ...,
    reasoning_tokens: int = ...,
    columns: _Named | None = ...,
    attacks: int = ...,
    perturb: _Named | None = ...,
    suite: Literal["llmbar"] | None = ...,
    by: _Named | None = ...,
) -> Result:
    """Measure a judge on labels."""

@overload
def winrate(settings: Config, /) -> Result:
    """Compare models' answers."""

@overload
def winrate(
    a: _Named,
    b: _Named,
    others: _Named | Sequence[_Named] = ...,
    *,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    design: Literal["all", "sparse"] | None = ...,
    until: float | None = ...,
    prompts_per_round: int = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    judge: _Named | None = ...,
    protocol: Literal["logprob", "choice", "text", "score", "rank"] | _Named | None = ...,
    agree: Literal["majority", "all", "mean"] = ...,
    min_margin: float = ...,
    min_label_mass: float = ...,
    aspects: _Named = ...,
    judge_template: _Named | None = ...,
    rubric: _Named | None = ...,
    reasoning_tokens: int = ...,
    bootstrap_samples: int = ...,
    seed: int = ...,
    calibration: _Named | None = ...,
    prompts: _Named | None = ...,
    out: _Named,
    limit: int | None = ...,
    prompt_column: _Named | None = ...,
    max_tokens: int = ...,
    temperature: float = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
) -> Result:
    """Compare models' answers."""

@overload
def evaluate(settings: Config, /) -> Result:
    """Measure models by a verifier."""

@overload
def evaluate(
    models: _Named,
    *,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    verify: _Named | None = ...,
    n: int = ...,
    k: int | None = ...,
    max_tokens: int = ...,
    temperature: float | None = ...,
    top_p: float = ...,
    min_score: float | None = ...,
    by: _Named | None = ...,
    bootstrap_samples: int = ...,
    seed: int = ...,
    prompts: _Named | None = ...,
    suite: Literal["ifeval", "gsm8k", "ifbench"] | None = ...,
    out: _Named,
    limit: int | None = ...,
    prompt_column: _Named | None = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
) -> Result:
    """Measure models by a verifier."""

@overload
def train(settings: Config, /) -> Result:
    """Train a model on preference pairs."""

@overload
def train(
    *,
    micro_batch_tokens: int = ...,
    gradient_checkpointing: bool = ...,
    use_cpu: bool = ...,
    eval_steps: int = ...,
    logging_steps: int = ...,
    save_steps: int = ...,
    save_total_limit: int = ...,
    report_to: _Named | Sequence[_Named] = ...,
    lora_r: int = ...,
    lora_alpha: float = ...,
    lora_target_modules: _Named | Sequence[_Named] = ...,
    use_rslora: bool = ...,
    use_dora: bool = ...,
    load_in_4bit: bool = ...,
    learning_rate: float = ...,
    optim: Literal["adamw_torch", "adamw_8bit"] = ...,
    num_train_epochs: float = ...,
    max_steps: int = ...,
    pairs_per_update: int = ...,
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = ...,
    warmup_ratio: float = ...,
    max_grad_norm: float = ...,
    weight_decay: float = ...,
    bf16: bool | None = ...,
    seed: int = ...,
    keep_order: bool = ...,
    max_length: int = ...,
    reasoning: Literal["drop", "keep"] = ...,
    limit: int | None = ...,
    eval_share: float = ...,
    eval_data: _Named | Sequence[_Named] = ...,
    trust_remote_code: bool = ...,
    pairs: Literal["best_worst", "all", "adjacent", "mean_minus_2sd", "chain"] = ...,
    split: _Named | None = ...,
    form: _Named | None = ...,
    skip_bad_rows: int = ...,
    model: _Named,
    data: _Named | Sequence[_Named],
    output_dir: _Named,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    save_optimizer: bool = ...,
    optimizer_from: _Named | None = ...,
    schedule_part: _Named = ...,
    save_dtype: Literal["float32", "bfloat16", "float16", "auto"] = ...,
    preset: Literal["rpo_sum", "rpo_mean", "irpo"] | None = ...,
    loss: Literal["auto", "dpo", "dpo_norm", "robust", "ipo", "hinge", "exo", "discopop", "apo_zero", "apo_down", "apo_hinge_zero", "apo_zero_unpaired", "kto", "nca", "bco", "sppo", "simpo", "simper", "cpo", "orpo", "rejection_sampling", "rrhf"] | _Named = ...,
    beta: float = ...,
    label_smoothing: float = ...,
    simpo_gamma: float = ...,
    alpha: float = ...,
    discopop_tau: float = ...,
    sft_weight: float = ...,
    sft_reduction: Literal["sum", "mean"] = ...,
    desirable_weight: float = ...,
    undesirable_weight: float = ...,
    use_weighting: bool = ...,
    token_weight: _Named | None = ...,
    router_aux_loss_coef: float | None = ...,
    sft_times_beta: bool = ...,
    judge: _Named | None = ...,
    auto_prompts: int = ...,
    score_column: _Named | None = ...,
    merge_adapter: bool = ...,
    merge_scale: float = ...,
    merge_first: bool = ...,
    ref_model: _Named | None = ...,
    reference_store: _Named = ...,
) -> Result:
    """Train a model on preference pairs."""

@overload
def sweep(settings: Config, /) -> Result:
    """Train over a grid of settings."""

@overload
def sweep(
    *,
    micro_batch_tokens: int = ...,
    gradient_checkpointing: bool = ...,
    use_cpu: bool = ...,
    eval_steps: int = ...,
    logging_steps: int = ...,
    save_steps: int = ...,
    save_total_limit: int = ...,
    report_to: _Named | Sequence[_Named] = ...,
    lora_r: int = ...,
    lora_alpha: float = ...,
    lora_target_modules: _Named | Sequence[_Named] = ...,
    use_rslora: bool = ...,
    use_dora: bool = ...,
    load_in_4bit: bool = ...,
    learning_rate: float = ...,
    optim: Literal["adamw_torch", "adamw_8bit"] = ...,
    num_train_epochs: float = ...,
    max_steps: int = ...,
    pairs_per_update: int = ...,
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = ...,
    warmup_ratio: float = ...,
    max_grad_norm: float = ...,
    weight_decay: float = ...,
    bf16: bool | None = ...,
    seed: int = ...,
    keep_order: bool = ...,
    max_length: int = ...,
    reasoning: Literal["drop", "keep"] = ...,
    limit: int | None = ...,
    eval_share: float = ...,
    eval_data: _Named | Sequence[_Named] = ...,
    trust_remote_code: bool = ...,
    pairs: Literal["best_worst", "all", "adjacent", "mean_minus_2sd", "chain"] = ...,
    split: _Named | None = ...,
    form: _Named | None = ...,
    skip_bad_rows: int = ...,
    model: _Named,
    data: _Named | Sequence[_Named],
    output_dir: _Named,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    save_optimizer: bool = ...,
    optimizer_from: _Named | None = ...,
    schedule_part: _Named = ...,
    save_dtype: Literal["float32", "bfloat16", "float16", "auto"] = ...,
    preset: Literal["rpo_sum", "rpo_mean", "irpo"] | None = ...,
    loss: Literal["auto", "dpo", "dpo_norm", "robust", "ipo", "hinge", "exo", "discopop", "apo_zero", "apo_down", "apo_hinge_zero", "apo_zero_unpaired", "kto", "nca", "bco", "sppo", "simpo", "simper", "cpo", "orpo", "rejection_sampling", "rrhf"] | _Named = ...,
    beta: float = ...,
    label_smoothing: float = ...,
    simpo_gamma: float = ...,
    alpha: float = ...,
    discopop_tau: float = ...,
    sft_weight: float = ...,
    sft_reduction: Literal["sum", "mean"] = ...,
    desirable_weight: float = ...,
    undesirable_weight: float = ...,
    use_weighting: bool = ...,
    token_weight: _Named | None = ...,
    router_aux_loss_coef: float | None = ...,
    sft_times_beta: bool = ...,
    judge: _Named | None = ...,
    auto_prompts: int = ...,
    score_column: _Named | None = ...,
    merge_adapter: bool = ...,
    merge_scale: float = ...,
    merge_first: bool = ...,
    ref_model: _Named | None = ...,
    reference_store: _Named = ...,
    over: _Named,
    by: _Named = ...,
    verify: _Named | None = ...,
    prompts: _Named | None = ...,
    max_tokens: int = ...,
    trials: int | None = ...,
) -> Result:
    """Train over a grid of settings."""

@overload
def reward(settings: Config, /) -> Result:
    """Train a reward model on pairs."""

@overload
def reward(
    *,
    micro_batch_tokens: int = ...,
    gradient_checkpointing: bool = ...,
    use_cpu: bool = ...,
    eval_steps: int = ...,
    logging_steps: int = ...,
    save_steps: int = ...,
    save_total_limit: int = ...,
    report_to: _Named | Sequence[_Named] = ...,
    lora_r: int = ...,
    lora_alpha: float = ...,
    lora_target_modules: _Named | Sequence[_Named] = ...,
    use_rslora: bool = ...,
    use_dora: bool = ...,
    load_in_4bit: bool = ...,
    learning_rate: float = ...,
    optim: Literal["adamw_torch", "adamw_8bit"] = ...,
    num_train_epochs: float = ...,
    max_steps: int = ...,
    pairs_per_update: int = ...,
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = ...,
    warmup_ratio: float = ...,
    max_grad_norm: float = ...,
    weight_decay: float = ...,
    bf16: bool | None = ...,
    seed: int = ...,
    keep_order: bool = ...,
    max_length: int = ...,
    reasoning: Literal["drop", "keep"] = ...,
    limit: int | None = ...,
    eval_share: float = ...,
    eval_data: _Named | Sequence[_Named] = ...,
    trust_remote_code: bool = ...,
    pairs: Literal["best_worst", "all", "adjacent", "mean_minus_2sd", "chain"] = ...,
    split: _Named | None = ...,
    form: _Named | None = ...,
    skip_bad_rows: int = ...,
    model: _Named,
    data: _Named | Sequence[_Named],
    output_dir: _Named,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    save_optimizer: bool = ...,
    optimizer_from: _Named | None = ...,
    schedule_part: _Named = ...,
    save_dtype: Literal["float32", "bfloat16", "float16", "auto"] = ...,
    loss: Literal["ranking", "wgan"] = ...,
    rm_kl: float = ...,
    apo_coeff: float = ...,
    center_rewards: float = ...,
    bins: int = ...,
    by: _Named | None = ...,
    golden_data: _Named | Sequence[_Named] = ...,
    apo_samples: int = ...,
) -> Result:
    """Train a reward model on pairs."""

@overload
def score(settings: Config, /) -> Result:
    """Score answers with a reward model."""

@overload
def score(
    reward_model: _Named,
    input: _Named,
    *,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    answer_column: _Named | None = ...,
    shard_size: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    fresh: bool = ...,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
    max_tokens_total: int | None = ...,
    max_cost: float | None = ...,
    price_file: _Named | None = ...,
    max_consecutive_failures: int = ...,
    max_length: int = ...,
    best_of_n: bool = ...,
    columns: _Named | None = ...,
) -> Result:
    """Score answers with a reward model."""

@overload
def select(settings: Config, /) -> Result:
    """Keep the pairs that are worth training on."""

@overload
def select(
    *inputs: _Named,
    out: _Named = ...,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    shard_size: int = ...,
    fresh: bool = ...,
    trust_remote_code: bool = ...,
    model: _Named | None = ...,
    ref_model: _Named | None = ...,
    tokenizer: _Named | None = ...,
    beta: float = ...,
    max_length: int = ...,
    reasoning: Literal["drop", "keep"] = ...,
    bf16: bool | None = ...,
    micro_batch_tokens: int = ...,
    use_cpu: bool = ...,
    reference_store: _Named = ...,
    max_ches_quantile: float | None = ...,
    ches: Literal["normalized", "plain"] = ...,
    min_implicit_quantile: float | None = ...,
    max_implicit_quantile: float | None = ...,
    min_dcrm_quantile: float | None = ...,
    min_margin: float | None = ...,
    max_margin: float | None = ...,
    max_margin_sd_quantile: float | None = ...,
    max_length_difference: int | None = ...,
    weight: float | None = ...,
    rank_by: _Named | None = ...,
    near: float | None = ...,
    max_per: _Named | Sequence[_Named] = ...,
    shares: _Named | None = ...,
    stratify: _Named | None = ...,
    top: int | None = ...,
    budget_tokens: int | None = ...,
    order_by: _Named | None = ...,
    pairs: Literal["best_worst", "all", "adjacent", "mean_minus_2sd", "chain"] = ...,
    explain: bool = ...,
) -> Result:
    """Keep the pairs that are worth training on."""

@overload
def game(settings: Config, /) -> Result:
    """Play reward model against model."""

@overload
def game(
    *,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    model: _Named,
    output_dir: _Named,
    rounds: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    budget: Mapping[str, Any] = ...,
    eval: Mapping[str, Any] = ...,
    eval_prompts: _Named | None = ...,
    eval_limit: int | None = ...,
    eval_n: int = ...,
    eval_temperature: float = ...,
    evaluator: _Named | None = ...,
    evaluator_data: _Named | Sequence[_Named] = ...,
    warn_ece: float = ...,
    warn_distinct: float = ...,
    warn_length: float = ...,
    warn_oscillation: float = ...,
    warn_gap: float = ...,
    rm_prompts: _Named,
    llm_prompts: _Named,
    human: _Named | Sequence[_Named],
    golden: _Named = ...,
    sequential: bool = ...,
    sample: Mapping[str, Any] = ...,
    reward: Mapping[str, Any] = ...,
    score: Mapping[str, Any] = ...,
    train: Mapping[str, Any] = ...,
    winrate: Mapping[str, Any] = ...,
) -> Result:
    """Play reward model against model."""

@overload
def loop(settings: Config, /) -> Result:
    """Go through on-policy rounds."""

@overload
def loop(
    *,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    prompt_column: _Named | None = ...,
    system_column: _Named | None = ...,
    carry_only: _Named | None = ...,
    model: _Named,
    output_dir: _Named,
    rounds: int = ...,
    preview: bool = ...,
    dry_run: bool = ...,
    budget: Mapping[str, Any] = ...,
    eval: Mapping[str, Any] = ...,
    eval_prompts: _Named | None = ...,
    eval_prompt_share: float = ...,
    eval_limit: int | None = ...,
    eval_temperature: float = ...,
    stop_win_rate: float = ...,
    stop_below_best: bool = ...,
    stop_contradictions: float = ...,
    prompts: _Named,
    pairs: Literal["judge", "revise", "both"] = ...,
    reference: Literal["initial", "previous"] = ...,
    prompts_per_round: int | None = ...,
    sync_every: int = ...,
    overlap: bool = ...,
    replay_share: float = ...,
    carry_optimizer: bool = ...,
    sample: Mapping[str, Any] = ...,
    judge: Mapping[str, Any] = ...,
    revise: Mapping[str, Any] = ...,
    train: Mapping[str, Any] = ...,
    winrate: Mapping[str, Any] = ...,
) -> Result:
    """Go through on-policy rounds."""

@overload
def recipe(settings: Config, /) -> Result:
    """List, show or run published recipes."""

@overload
def recipe(
    action: Literal["list", "show", "run"] = ...,
    name: _Named | None = ...,
    *,
    given: Mapping[str, Any] = ...,
    out: _Named = ...,
    scale: float = ...,
    dry_run: bool = ...,
) -> Result:
    """List, show or run published recipes."""

@overload
def demo(settings: Config, /) -> Result:
    """Go the whole way with one small model."""

@overload
def demo(
    examples: _Named,
    *,
    out: _Named = ...,
    model: _Named = ...,
    n: int = ...,
    temperature: float = ...,
    seed: int = ...,
) -> Result:
    """Go the whole way with one small model."""

@overload
def doctor(settings: Config, /) -> Result:
    """Examine this machine and an engine."""

@overload
def doctor(
    spec: _Named | None = ...,
    *,
    thinking: _Named = ...,
    reasoning_effort: _Named = ...,
    chat_template_kwargs: _Named = ...,
    extra_body: _Named = ...,
    extra_headers: _Named = ...,
    adapter: _Named = ...,
    batch_size: int = ...,
    max_concurrency: int = ...,
    deadline: float = ...,
    dtype: _Named = ...,
    trust_remote_code: bool = ...,
    reward_ensemble: Literal["mean", "lowest"] = ...,
    device: _Named = ...,
    function_timeout: float = ...,
    function_processes: int | None = ...,
    allow_code: bool = ...,
    api_key_env: _Named = ...,
    server_moved: _Named = ...,
    batch: bool = ...,
    cancel: bool = ...,
    thinking_tags: _Named = ...,
    engine: Mapping[str, Any] = ...,
) -> Result:
    """Examine this machine and an engine."""

@overload
def stats(settings: Config, /) -> Result:
    """Show what a folder holds, in numbers."""

@overload
def stats(
    run: _Named,
    *,
    prompt_price: float = ...,
    completion_price: float = ...,
    json: bool = ...,
) -> Result:
    """Show what a folder holds, in numbers."""

@overload
def merge(settings: Config, /) -> Result:
    """Put several runs into one."""

@overload
def merge(
    *inputs: _Named,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    shard_size: int = ...,
    fresh: bool = ...,
) -> Result:
    """Put several runs into one."""

@overload
def split(settings: Config, /) -> Result:
    """Part a run, no prompt in both."""

@overload
def split(
    *inputs: _Named,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    shard_size: int = ...,
    fresh: bool = ...,
    test_share: float = ...,
    seed: int = ...,
) -> Result:
    """Part a run, no prompt in both."""

@overload
def dedup(settings: Config, /) -> Result:
    """Drop rows that repeat others."""

@overload
def dedup(
    *inputs: _Named,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    shard_size: int = ...,
    fresh: bool = ...,
    on: Literal["row", "prompt"] = ...,
    near: float = ...,
) -> Result:
    """Drop rows that repeat others."""

@overload
def decontaminate(settings: Config, /) -> Result:
    """Drop rows that a test set knows."""

@overload
def decontaminate(
    *inputs: _Named,
    out: _Named,
    split: _Named | None = ...,
    form: _Named | None = ...,
    limit: int | None = ...,
    skip_bad_rows: int = ...,
    shard_size: int = ...,
    fresh: bool = ...,
    against: _Named | Sequence[_Named],
    words: int = ...,
) -> Result:
    """Drop rows that a test set knows."""

@overload
def export(settings: Config, /) -> Result:
    """Write pairs for another trainer."""

@overload
def export(
    run: _Named,
    *,
    split: _Named | None = ...,
    form: _Named | None = ...,
    to: Literal["trl", "kto", "openrlhf", "llamafactory", "axolotl", "openai", "jsonl"],
    out: _Named,
    skip_bad_rows: int = ...,
    push_to_hub: _Named | None = ...,
    private: bool = ...,
) -> Result:
    """Write pairs for another trainer."""

@overload
def review(settings: Config, /) -> Result:
    """Go through pairs in the browser."""

@overload
def review(
    run: _Named,
    *,
    by: _Named | None = ...,
    host: _Named = ...,
    port: int = ...,
    browser: bool = ...,
    order: Literal["uncertain", "random", "file"] = ...,
    seed: int = ...,
) -> Result:
    """Go through pairs in the browser."""

@overload
def label(settings: Config, /) -> Result:
    """Compare pairs blind in the browser."""

@overload
def label(
    run: _Named,
    *,
    by: _Named | None = ...,
    host: _Named = ...,
    port: int = ...,
    browser: bool = ...,
    labels: _Named | None = ...,
    export: bool = ...,
    reveal: int | None = ...,
    repeat_every: int = ...,
    shared: float = ...,
    seed: int = ...,
) -> Result:
    """Compare pairs blind in the browser."""

@overload
def apply(settings: Config, /) -> Result:
    """Make a run of what people decided."""

@overload
def apply(
    run: _Named,
    *,
    out: _Named,
    only_reviewed: bool = ...,
    shard_size: int = ...,
    fresh: bool = ...,
) -> Result:
    """Make a run of what people decided."""

@overload
def report(settings: Config, /) -> Result:
    """Make a page to judge runs by."""

@overload
def report(
    *runs: _Named,
    prompt_price: float = ...,
    completion_price: float = ...,
    out: _Named | None = ...,
    pairs: int = ...,
) -> Result:
    """Make a page to judge runs by."""
