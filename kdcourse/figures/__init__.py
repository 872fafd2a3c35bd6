"""Interactive figures, drawn in the browser by the modules of `kdcourse/figures`, with a kernel or without.

Nothing here imports torch; tensors are taken as they come.
"""

from kdcourse.figures.atlas import Atlas
from kdcourse.figures.dark_knowledge import DarkKnowledge
from kdcourse.figures.draw_a_digit import DrawADigit
from kdcourse.figures.figure import Figure as Figure
from kdcourse.figures.figure import beside as beside
from kdcourse.figures.figure import save as save
from kdcourse.figures.loss_explorer import LossExplorer
from kdcourse.figures.playground import Playground
from kdcourse.figures.simplex import Simplex
from kdcourse.figures.speak_a_digit import SpeakADigit
from kdcourse.figures.temperature_explorer import TemperatureExplorer
from kdcourse.figures.type_a_sentence import TypeASentence

# In the order in which a page shows them.
KINDS = (
    DrawADigit,
    TypeASentence,
    TemperatureExplorer,
    LossExplorer,
    Simplex,
    DarkKnowledge,
    Playground,
    Atlas,
    SpeakADigit,
)
