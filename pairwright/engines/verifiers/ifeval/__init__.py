"""The instructions of IFEval, checked.

Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models",
https://arxiv.org/abs/2311.07911. Each decides as the published checker does; a test compares the two.
"""
