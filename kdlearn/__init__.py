"""Knowledge distillation, derived, tested and measured.

The public names stand in ``__init__.pyi`` and are loaded when first used, so that ``import kdlearn`` costs nothing and
an interactive figure never waits for torch.
"""

from typing import Any

__version__ = "0.1.0"
ENGINE = 4  # raised when the same run would give other numbers: kept results of another engine are not taken

try:
    import lazy_loader
except ModuleNotFoundError:  # `kdlearn doctor` says what is missing, so it must run without

    def __getattr__(name: str) -> Any:
        raise AttributeError(f"kdlearn.{name} needs lazy_loader: python -m pip install lazy-loader")

else:
    __getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
