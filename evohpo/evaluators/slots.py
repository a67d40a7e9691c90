"""Devices of this machine, shared out among the trials that run at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from evohpo.errors import UsageError

VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
RESOURCES = "EVOHPO_RESOURCES"  # what a trial may use, as JSON: {"gpu": [0]}
Device: TypeAlias = int | str
Gpus: TypeAlias = int | Sequence[Device] | None


class Slots:
    """Gives each trial devices of its own, in turn, as long as there are enough; else several trials share one.

    Args:
        gpus: how many devices, or their ids as `CUDA_VISIBLE_DEVICES` knows them; a number means the first ones that this
            process may see.

    Raises:
        UsageError: no number of devices and no list of ids.

    Example:
        >>> slots = Slots(2)
        >>> [slots.take(workers=3) for _ in range(3)]
        [[0], [1], [0]]
    """

    def __init__(self, gpus: Gpus) -> None:
        self._users = dict.fromkeys(_ids(gpus), 0)  # the device given last stands last

    def take(self, workers: int) -> list[Device]:
        """Return the devices of one more trial, [] where there are none; `workers` trials run at once."""
        count = max(1, len(self._users) // workers)
        given = sorted(self._users, key=self._users.__getitem__)[:count]  # stable: of the free ones that free longest
        for device in given:
            self._users[device] = self._users.pop(device) + 1
        return sorted(given, key=str)

    def give_back(self, devices: Iterable[Device]) -> None:
        """Say that a trial needs its devices no more."""
        for device in devices:
            self._users[device] -= 1


def variables(devices: Sequence[Device]) -> dict[str, str]:
    """Return the environment variables that show a process its devices and no others; none without devices."""
    if not devices:
        return {}
    return {name: ",".join(map(str, devices)) for name in VISIBLE} | {RESOURCES: json.dumps({"gpu": list(devices)})}


def _ids(gpus: Gpus) -> list[Device]:
    if gpus is None:
        return []
    if isinstance(gpus, int) and not isinstance(gpus, bool) and gpus >= 1:
        visible = [word.strip() for word in os.environ.get(VISIBLE[0], "").split(",") if word.strip()]
        ids: list[Device] = [int(word) if word.isdecimal() else word for word in visible] or list(range(gpus))
        if len(ids) >= gpus:
            return ids[:gpus]
        raise UsageError(f"gpus={gpus}: {VISIBLE[0]} shows only {len(ids)} devices ({', '.join(visible)})")
    if isinstance(gpus, list | tuple | range) and gpus and all(map(_is_id, gpus)) and len(set(gpus)) == len(gpus):
        return list(gpus)
    raise UsageError(
        f"gpus={gpus!r}: must be a number of devices of at least 1, or a list of different ids such as [0, 2]"
    )


def _is_id(device: object) -> bool:
    return isinstance(device, int | str) and not isinstance(device, bool) and bool(str(device).strip(" ,"))
