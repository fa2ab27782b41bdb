"""The rules of `pairwright select` explained, with their sources."""

from train.selection.config import QuotasConfig, RulesConfig, SelectConfig

RULES = {
    "max_ches_quantile": (
        "Where the model sees the two answers nearly alike, DPO lowers the probability of both: what "
        "it takes from rejected it takes from chosen too (likelihood displacement). CHES says where: "
        "it is ⟨Σh⁺, Σh⁻⟩ − ‖Σh⁺‖², of the hidden states that predict each answer. Minimal pairs have "
        "a high one; the alternative to dropping them is a loss that holds chosen up (apo_zero, an "
        "SFT term).",
        "Razin et al. 2024, Unintentional Unalignment, arXiv 2410.08847",
    ),
    "min_implicit_quantile": (
        "Keeps the pairs that the model, beside its reference, already tells apart most: clear "
        "signal, little noise in the labels. The largest margins as they are here are half of BeeS, "
        "which joins them with the margin of a reward model. It is the opposite of "
        "max_implicit_quantile, and both were published as best: measure on your data which "
        "holds.",
        "Deng et al. 2025, Less is More (BeeS), arXiv 2502.14560",
    ),
    "max_implicit_quantile": (
        "Keeps the pairs that the model, beside its reference, tells apart least: the difficult ones, "
        "of which there is most left to learn. The opposite of min_implicit_quantile.",
        "Difficulty by implicit reward gap, arXiv 2508.04149",
    ),
    "min_dcrm_quantile": (
        "Keeps the pairs with a large margin for how much they differ: what differs beside what was "
        "judged is noise. DCRM is here margin / (edit distance in tokens + |difference in log-"
        "probability| + 1).",
        "After Huang and Goyal 2025, DCRM, arXiv 2506.14157",
    ),
    "min_margin": ("Drops pairs of which the judge, or the reward model, was hardly sure.", ""),
    "max_margin": (
        "Drops pairs that are so far apart that they teach what is known already, or that were gamed.",
        "",
    ),
    "max_margin_sd_quantile": (
        "Drops pairs about whose order several reward models are not of one mind: what one of them alone "
        "overrates is what a policy that is trained on it learns to exploit.",
        "Ensembles of reward models: Coste et al. 2023, arXiv 2310.02743",
    ),
    "max_length_difference": (
        "Drops pairs whose answers differ much in length, so that length is not what is learnt. OLMo "
        "3 keeps chat pairs that differ by at most 100 tokens.",
        "OLMo 3, arXiv 2512.13961, section 5.3",
    ),
    "weight": (
        "Keeps what the rules about measures would drop, with a smaller say: a column `weight` for "
        "trainers that read one.",
        "",
    ),
    "rank_by": ("Says which pairs quotas take first.", ""),
    "near": (
        "Drops pairs that say nearly what a pair before them says, found by MinHash and then measured.",
        "",
    ),
    "max_per": (
        "Caps how many pairs one source, topic or model may give, lest one be all that is learnt.",
        "Mixing by count per source: OLMo 3, arXiv 2512.13961, appendix A.6.2",
    ),
    "shares": (
        "Mixes sources, or strong and weak models, in parts that you decide: of the four answers that "
        "OLMo 3 compares, two are from weak models.",
        "OLMo 3, arXiv 2512.13961, section 5.3",
    ),
    "stratify": ("Lets all values of a column take turns, so that the first pairs are some of each.", ""),
    "top": (
        "Keeps a number of pairs. More is not always better: OLMo 3's scores peak at 75 to 100 "
        "thousand pairs.",
        "OLMo 3, arXiv 2512.13961, figure 23",
    ),
    "budget_tokens": ("Keeps as many pairs as a budget of tokens has room for.", ""),
    "order_by": (
        "Writes the pairs in an order, say from easy to difficult; train --keep_order trains in it.",
        "Curriculum learning, Bengio et al. 2009",
    ),
}
"""By setting: what a rule is for, and its source, where it has one."""


def explained(config: SelectConfig) -> str:
    """Explain each given rule in a paragraph; all rules if none is given."""
    given = [name for name in RULES if getattr(config, name) not in (None, ())]
    fields = QuotasConfig.model_fields | RulesConfig.model_fields
    parts = []
    for name in given or RULES:
        about, source = RULES[name]
        does = " ".join((fields[name].description or "").split())
        parts.append(f"--{name}: {does}\n  {about}" + (f"\n  Source: {source}." if source else ""))
    return "\n\n".join(parts)
