"""What several runs share is made once."""

from collections.abc import Callable
from typing import Any


class Once(dict[Any, Any]):
    """Values by name. A name may hold the `id` of what lives as long as this does: no other comes to have it."""

    def __call__(self, name: Any, make: Callable[[], Any]) -> Any:
        """The value of this name; made when it is first asked for."""
        if name not in self:
            self[name] = make()
        return self[name]
