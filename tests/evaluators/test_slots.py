"""Devices are shared out evenly, and each trial sees its own alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evohpo.errors import UsageError
from evohpo.evaluators import Finished, Job, Processes
from evohpo.evaluators.slots import Slots
from tests.evaluators import hostile
from tests.evaluators.running import end_of, run

SHOWN = {"names": "CUDA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES"}


@given(st.integers(1, 6), st.integers(1, 9), st.lists(st.booleans(), max_size=60))
def test_no_device_is_shared_while_another_is_free(gpus, workers, steps):
    slots, running = Slots(gpus), []
    for start in steps:
        if start and len(running) < workers:
            running.append(slots.take(workers))
        elif running:
            slots.give_back(running.pop(0))
        users = [sum(device in given for given in running) for device in range(gpus)]
        assert max(users) <= -(-workers // gpus)
        assert all(len(given) == max(1, gpus // workers) for given in running)


def test_free_devices_take_turns():
    slots = Slots(3)
    for expected in ([0], [1], [2], [0]):
        devices = slots.take(workers=3)
        assert devices == expected
        slots.give_back(devices)


def test_without_gpus_nothing_is_given():
    assert Slots(None).take(workers=4) == []


def test_a_number_means_devices_that_this_process_sees(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, 3,GPU-8f1a")
    assert Slots(3).take(workers=1) == [3, 5, "GPU-8f1a"]
    with pytest.raises(UsageError, match=r"shows only 3 devices \(5, 3, GPU-8f1a\)"):
        Slots(4)


@pytest.mark.parametrize("gpus", [0, -1, True, [], [1, 1], [True], "2", 1.5, [""]])
def test_devices_that_make_no_sense_are_refused(gpus):
    with pytest.raises(UsageError, match="gpus="):
        Slots(gpus)


def test_worker_processes_have_devices_of_their_own():
    with Processes(2, gpus=["GPU-a", "GPU-b"]) as evaluator:
        seen = run(evaluator, *[Job(i, {"seconds": 0.5}, devices) for i in range(2)])
        ends = [events[-1] for events in seen.values()]
        assert all(isinstance(end, Finished) for end in ends), ends
        assert sorted(tuple(end.value["gpu"]) for end in ends) == [("GPU-a",), ("GPU-b",)]
        assert all(end.value["gpu"] == [end.value["visible"]] for end in ends)
    with Processes(2, gpus=1) as evaluator:
        assert list(end_of(evaluator, hostile.environment, SHOWN).value.values()) == ["0", "0"]


def devices(params, ctx):
    import os
    import time

    time.sleep(params["seconds"])
    return {"gpu": ctx.resources["gpu"], "visible": os.environ["CUDA_VISIBLE_DEVICES"]}
