"""What the notebooks, a class and the book need beside `kdlearn`: exercises, figures, records, the course's own data.

The names of `__init__.pyi` are loaded when they are first used, so that an interactive figure never waits for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
