"""Experiments: a teacher, then strategies × seeds, then a table with paired differences and their intervals."""

from kdlearn.experiments.digits import Arm, Teacher, demo, stratified_rows, train_seeds, train_teacher
from kdlearn.experiments.images import Study, distill
from kdlearn.experiments.plan import PRESETS, STRATEGIES, Network, Preset, Run, Schooling
from kdlearn.experiments.records import collect, format_results, format_table, provenance
from kdlearn.experiments.statistics import Interval, interval, paired_difference, summarise

__all__ = [
    "PRESETS",
    "STRATEGIES",
    "Arm",
    "Interval",
    "Network",
    "Preset",
    "Run",
    "Schooling",
    "Study",
    "Teacher",
    "collect",
    "demo",
    "distill",
    "format_results",
    "format_table",
    "interval",
    "paired_difference",
    "provenance",
    "stratified_rows",
    "summarise",
    "train_seeds",
    "train_teacher",
]
