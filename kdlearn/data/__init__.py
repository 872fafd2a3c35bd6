"""Data sets as tensors in memory, batches whose order and views come back whenever the seed does, and whole files."""

from typing import Any

try:
    import lazy_loader
except ModuleNotFoundError:  # the commands, which say what is missing, read files

    def __getattr__(name: str) -> Any:
        raise AttributeError(f"kdlearn.data.{name} needs lazy_loader: python -m pip install lazy-loader")

else:
    # Loaded when first used: the commands read files without torch.
    __getattr__, __dir__, __all__ = lazy_loader.attach(
        __name__,
        submod_attrs={
            "batches": ["Batch", "Stream"],
            "characters": ["load_characters"],
            "composed": ["compose_pictures"],
            "dataset": ["Dataset", "Examples", "Normalise", "stratified_sample"],
            "digits": ["load_digits"],
            "images": ["load_images", "stand_in"],
            "languages": ["load_languages", "py3langid_teacher"],
            "ngrams": ["codes_of", "hashed_ngrams", "ngram_vectors"],
            "sound": ["log_mel"],
            "spoken": ["load_spoken_digits", "write_wave"],
            "views": ["Views"],
        },
    )
