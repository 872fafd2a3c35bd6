"""Experiments: a teacher, then strategies × seeds, then a table with paired differences and their intervals."""

from kdlearn.experiments.digits import Arm, Teacher, demo, stratified_rows, train_seeds, train_teacher
from kdlearn.experiments.records import format_table, provenance
from kdlearn.experiments.statistics import Interval, interval, paired_difference, summarise

__all__ = [
    "Arm",
    "Interval",
    "Teacher",
    "demo",
    "format_table",
    "interval",
    "paired_difference",
    "provenance",
    "stratified_rows",
    "summarise",
    "train_seeds",
    "train_teacher",
]
