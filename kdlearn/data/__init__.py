"""Data sets as tensors in memory, batches whose order and views come back whenever the seed does, and whole files."""

import lazy_loader

# Loaded when first used: the commands read files without torch.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batches": ["Batch", "Stream"],
        "dataset": ["Dataset", "Examples", "Normalise", "stratified_sample"],
        "digits": ["load_digits"],
        "images": ["load_images", "stand_in"],
        "views": ["Views"],
    },
)
