"""`evohpo demo`: a real neural network, tuned by eight algorithms side by side."""

from __future__ import annotations

from pathlib import Path

import click

COUNT = click.IntRange(min=1)


@click.command()
@click.option("--generations", type=COUNT, default=5, show_default=True)
@click.option("--population", type=COUNT, default=10, show_default=True)
@click.option("--budget", type=COUNT, help="Trials an optimizer; generations x population where not given.")
@click.option("--workers", type=COUNT, default=2, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--optimizers", metavar="A,B", help="Which ones; all eight where not given.")
@click.option("--store", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Keep the studies here.")
def demo(
    generations: int,
    population: int,
    budget: int | None,
    workers: int,
    seed: int,
    optimizers: str | None,
    store: Path | None,
) -> None:
    """Tune a neural network with eight algorithms.

    Then kill a run in the middle and go on with it.
    """
    from evohpo.demo import show

    names = [name.strip() for name in optimizers.split(",") if name.strip()] if optimizers else None
    show(names, generations, population, budget, workers, seed, store)
