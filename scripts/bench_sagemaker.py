"""What a generation on SageMaker costs the driver: starting a population, looking at it, reading it; against the local service.

    python scripts/bench_sagemaker.py [--population 50]

The service is on the same cores, so that its own time is in the figures: they are upper bounds of ours.
"""

from __future__ import annotations

import argparse
import sys
import time

import evohpo as eh
from evohpo.evaluators.protocol import Finished, Job
from evohpo.sagemaker.local import LocalSageMaker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--population", type=int, default=50)
    n = parser.parse_args().population
    script = "print('loss=0.5')"
    with LocalSageMaker({"quick": [sys.executable, "-S", "-c", script]}) as aws:
        aws.faults.start_delay = 2.0  # the scripts do not compete with what is measured
        request = {
            "RoleArn": aws.role,
            "AlgorithmSpecification": {"TrainingImage": "quick", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{aws.bucket}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        evaluator = eh.SageMaker(request, {"loss": r"loss=(\S+)"}, max_parallel_jobs=n)
        began, cpu = time.perf_counter(), time.thread_time()
        for number in range(n):
            evaluator.submit(Job(number, {"x": number / n, "layers": 3, "solver": "adam"}))
        started = len(evaluator.wait(0.0))
        took, own = time.perf_counter() - began, time.thread_time() - cpu
        print(
            f"started {started} jobs: {took / n * 1e3:.1f} ms a job, of which {own / n * 1e3:.1f} ms CPU of the driver"
        )
        began, cpu, looks, ended = time.perf_counter(), time.thread_time(), 0, 0
        while ended < n:
            events = evaluator.wait(0.05)
            looks += 1
            ended += sum(isinstance(e, Finished) for e in events)
        own = time.thread_time() - cpu
        print(
            f"saw {ended} ends in {time.perf_counter() - began:.1f} s and {looks} looks: {own / n * 1e3:.1f} ms CPU a job"
        )
        evaluator.close()


if __name__ == "__main__":
    main()
