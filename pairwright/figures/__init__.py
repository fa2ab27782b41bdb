"""The numbers of a folder, worked out in one place for the terminal, for JSON and for the report."""

from pairwright.figures.folder import Figures, figures_of

__all__ = ["Figures", "figures_of"]
