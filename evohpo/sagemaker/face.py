"""The functions of the post on bringing your own algorithm to SageMaker, built on the study.

Those who have its notebook change the import; a genetic algorithm, a particle swarm, PAES or any other optimizer, the table,
resume and the journal come with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evohpo.errors import UsageError
from evohpo.evaluators.metrics import NUMBER, number
from evohpo.sagemaker.clients import Clients, explained
from evohpo.sagemaker.evaluator import SageMaker
from evohpo.sagemaker.logs import Log
from evohpo.space import Space
from evohpo.tables import by_column, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd

    from evohpo.study import Study

ACCURACY = rf"Validation-accuracy=\s*{NUMBER}"


class Jobs(dict[str, dict[str, Any]]):
    """Hyperparameters by name of the training job, in the order in which they were proposed; repeated ones need no job.

    Attributes:
        study: the study that the search was: `study.best`, `study.table()`.
    """

    study: Study


def evolutionary_search(
    base_name: str | None, hyperparameters: Mapping[str, Any], generations: int, max_parallel_jobs: int,
    train_fn: Callable[[str, dict[str, Any]], Any], optimizer: Any = "ga", *, regex: str = ACCURACY, maximize: bool = True,
    seed: int | None = None, store: str | None = None, progress: bool = True, stop: Any = None, poll: float | None = None,
    patience: float = 60.0, session: Any = None,
) -> Jobs:  # fmt: skip
    """Search hyperparameters with an evolutionary algorithm; each generation is a set of training jobs side by side.

    Args:
        base_name: what the jobs' names begin with; "evohpo" if None. Names go on with generation and individual.
        hyperparameters: the four kinds of parameter by name, or evohpo's own.
        generations: how many generations.
        max_parallel_jobs: individuals a generation, jobs at once.
        train_fn: starts a training job of the given name with the given hyperparameters and does not wait for it; or an
            estimator, trainer or request, which needs no function around it.
        optimizer: a name, or a live object such as `inspyred.swarm.PSO(random.Random(1))`; `evohpo.use(...)` adds options.
        regex: finds the objective in what a job prints; the last one counts.
        maximize: whether the objective is to be large.
        seed: the root of all randomness.
        store: path of a file that makes the search durable: the same call goes on after a crash, running jobs are adopted.
        progress: False for silence.
        stop: ends the search early, see `evohpo.Stop`.
        poll: seconds between looks at the service.
        patience: seconds to wait for the log of a job that has ended.
        session: a `boto3.Session`.

    Returns:
        The jobs; `table_metrics` makes a table of them, and `jobs.study` is the study.
    """
    from evohpo.driver import tune

    evaluator = SageMaker(
        train_fn, {"objective": regex}, max_parallel_jobs=max_parallel_jobs, job_prefix="", poll=poll, patience=patience,
        session=session,
    )  # fmt: skip
    study = tune(
        None, Space.from_sagemaker(hyperparameters), optimizer=optimizer, generations=generations,
        population=max_parallel_jobs, evaluator=evaluator, seed=seed, store=store, progress=progress, stop=stop,
        name=base_name or "evohpo", maximize="objective" if maximize else None,
        minimize=None if maximize else "objective",
    )  # fmt: skip
    started = [trial for trial in study.trials if trial.job and not trial.job.startswith("reused ")]
    jobs = Jobs({trial.job: dict(trial.params) for trial in started})
    jobs.study = study
    return jobs


def random_search(
    train_fn: Callable[[str, dict[str, Any]], Any], hyperparameters: Mapping[str, Any], base_name: str | None = None,
    max_jobs: int = 100, max_parallel_jobs: int = 100, **arguments: Any,
) -> Jobs:  # fmt: skip
    """Try random hyperparameters, `max_parallel_jobs` jobs at once and at least `max_jobs` in all.

    The other arguments are those of `evolutionary_search`.
    """
    if max_jobs < 1 or max_parallel_jobs < 1:
        raise UsageError(f"max_jobs={max_jobs}, max_parallel_jobs={max_parallel_jobs}: both must be at least 1")
    side_by_side = min(max_jobs, max_parallel_jobs)
    return evolutionary_search(
        base_name, hyperparameters, -(-max_jobs // side_by_side), side_by_side, train_fn, "random", **arguments
    )


def get_metrics(jobs: Iterable[str], regex: str, session: Any = None) -> dict[str, list[str]]:
    """Return by job every text that the group of `regex` matches in what the job printed, in order.

    Args:
        jobs: names of training jobs, such as the searches return.
        regex: a regular expression with one group.
        session: a `boto3.Session`; None for what the environment says.

    Raises:
        UsageError: no region, credentials or access.
    """
    pattern, client = re.compile(regex), Clients(session).logs
    with explained():
        return {
            job: [found[1] for line in Log(client, job).read() for found in pattern.finditer(line)] for job in jobs
        }  # fmt: skip


def table_metrics(jobs: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, list[str]]) -> pd.DataFrame:
    """Return one row a job: its hyperparameters, the last metric as `objective` (NaN where there is none), `job_number`."""
    import pandas as pd

    rows = []
    for place, (job, hyperparameters) in enumerate(jobs.items()):
        found = [value for text in metrics.get(job, ()) if (value := number(text)) is not None]
        rows.append({**hyperparameters, "objective": found[-1] if found else float("nan"), "job_number": place})
    made = table(by_column(rows))
    made.index = pd.Index(list(jobs), dtype=object)
    return made
