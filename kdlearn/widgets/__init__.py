"""Interactive figures, drawn in the browser by the modules of `kdlearn/figures`, with a kernel or without.

Nothing here imports torch; tensors are taken as they come.
"""

from kdlearn.widgets.dark_knowledge import DarkKnowledge
from kdlearn.widgets.figure import Figure, save
from kdlearn.widgets.loss_explorer import LossExplorer
from kdlearn.widgets.playground import Playground
from kdlearn.widgets.temperature_explorer import TemperatureExplorer

__all__ = ["DarkKnowledge", "Figure", "LossExplorer", "Playground", "TemperatureExplorer", "save"]
