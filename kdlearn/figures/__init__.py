"""Interactive figures, drawn in the browser by the modules of `kdlearn/figures`, with a kernel or without.

Nothing here imports torch; tensors are taken as they come.
"""

from kdlearn.figures.atlas import Atlas
from kdlearn.figures.dark_knowledge import DarkKnowledge
from kdlearn.figures.draw_a_digit import DrawADigit
from kdlearn.figures.figure import Figure, beside, save
from kdlearn.figures.loss_explorer import LossExplorer
from kdlearn.figures.playground import Playground
from kdlearn.figures.simplex import Simplex
from kdlearn.figures.speak_a_digit import SpeakADigit
from kdlearn.figures.temperature_explorer import TemperatureExplorer
from kdlearn.figures.type_a_sentence import TypeASentence

__all__ = [
    "Atlas",
    "DarkKnowledge",
    "DrawADigit",
    "Figure",
    "LossExplorer",
    "Playground",
    "Simplex",
    "SpeakADigit",
    "TemperatureExplorer",
    "TypeASentence",
    "beside",
    "save",
]
