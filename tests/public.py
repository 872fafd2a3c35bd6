"""What the package offers: the names at its top, and those of modules of a family, which name theirs in `__all__`."""

from importlib import import_module
from pathlib import Path
from typing import Any

import kdlearn

ROOT = Path(kdlearn.__file__).parent


def families() -> list[Any]:
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("*/[a-z]*.py"))}
    modules = [path.relative_to(ROOT.parent).with_suffix("") for path, text in texts.items() if "\n__all__ = " in text]
    return [import_module(".".join(path.parts)) for path in modules]


PUBLIC = {name: getattr(module, name) for module in (kdlearn, *families()) for name in module.__all__}
