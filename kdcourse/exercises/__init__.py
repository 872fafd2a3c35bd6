"""The exercises: `check` judges an answer, `versions` makes the learner's notebooks of the solved ones.

What counts as an answer stands in one file a notebook, such as `checks_04.py`.
"""

from kdcourse.exercises.checking import Verdict as Verdict
from kdcourse.exercises.checking import check as check
