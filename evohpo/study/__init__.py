"""The study: what was proposed, what came of it, and the journal that remembers it all."""

from evohpo.study.opening import load
from evohpo.study.stop import Stop
from evohpo.study.study import Study

__all__ = ["Stop", "Study", "load"]
