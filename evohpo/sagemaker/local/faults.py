"""What can be made to go wrong in the local service, on purpose and repeatably."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

from evohpo.sagemaker.local.errors import ApiError


@dataclass
class Faults:
    """Faults to inject; change them while the service runs.

    Attributes:
        throttle: so many of the next calls are refused with ThrottlingException.
        lost_responses: so many of the next CreateTrainingJob calls are carried out and answered with an internal error.
        capacity: share of jobs that end with CapacityError before they start, in [0, 1].
        interruptions: share of managed spot jobs that are interrupted once, and restarted, in [0, 1].
        log_delay: seconds until a printed line can be read.
        list_delay: seconds until a new job is in listings.
        start_delay: seconds until a job's script starts.
        stop_delay: seconds that a stopped job keeps its instance after its script has ended.
        seed: of the shares above.
    """

    throttle: int = 0
    lost_responses: int = 0
    capacity: float = 0.0
    interruptions: float = 0.0
    log_delay: float = 0.0
    list_delay: float = 0.0
    start_delay: float = 0.0
    stop_delay: float = 0.0
    seed: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def before(self) -> None:
        """Refuse a call if it is the turn of one.

        Raises:
            ApiError: ThrottlingException.
        """
        with self._lock:
            if self.throttle > 0:
                self.throttle -= 1
                raise ApiError("ThrottlingException", "Rate exceeded")

    def after_creation(self) -> None:
        """Lose the answer to a request that was carried out, if it is the turn of one.

        Raises:
            ApiError: an internal error.
        """
        with self._lock:
            if self.lost_responses > 0:
                self.lost_responses -= 1
                raise ApiError("InternalFailure", "The answer was lost", 500)

    def no_capacity(self, job: str) -> bool:
        """Return whether there is no instance for `job`; the same for the same name and seed."""
        return random.Random(f"{self.seed}-capacity-{job}").random() < self.capacity  # noqa: S311 - not for secrets

    def interrupts(self, job: str) -> bool:
        """Return whether the managed spot job `job` is interrupted once; the same for the same name and seed."""
        return random.Random(f"{self.seed}-spot-{job}").random() < self.interruptions  # noqa: S311 - not for secrets
