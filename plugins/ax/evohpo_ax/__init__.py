"""Live clients of Ax in studies of evohpo; Ax itself is imported when one turns up, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evohpo.optimizers.registry import Registered

__all__ = ["adapt"]


def adapt(obj: Any) -> Registered | None:
    """Return what runs a `Client`, an `AxClient` or a `GenerationStrategy` of Ax; None for what is none of these.

    Args:
        obj: the object, configured or not, or one of the two classes of clients.

    Example:
        >>> from ax import Client
        >>> adapted = adapt(Client(random_seed=1))
        >>> adapted.name, adapted.traits.objectives, adapted.traits.constraints
        ('ax.Client', 'multi', True)
    """
    from .clients import adapt as adapt_client

    return adapt_client(obj)
