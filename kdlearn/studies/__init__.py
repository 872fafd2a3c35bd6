"""Experiments: a teacher, then strategies × seeds, then a table with paired differences and their intervals."""

import lazy_loader

# Loaded when first used, so that a static figure with intervals does not wait for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "digits": ["Arm", "Teacher", "demo", "stratified_rows", "train_seeds", "train_teacher"],
        "images": ["Study", "distill"],
        "plan": ["PRESETS", "STRATEGIES", "Network", "Preset", "Run", "Schooling"],
        "records": [
            "Interval",
            "interval",
            "paired_difference",
            "summarise",
            "collect",
            "format_results",
            "format_table",
            "provenance",
            "recorded",
        ],
    },
)
