"""`evohpo show`: what a stored study knows."""

from __future__ import annotations

from pathlib import Path

import click

from evohpo.cli.output import FORMATS, check_out, deliver


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--output", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to a file instead."
)
@click.option("--best", is_flag=True, help="The best trial only.")
@click.option("--front", is_flag=True, help="Only trials that no other one dominates.")
@click.option("--sort", metavar="METRIC", help="Order by a metric (objectives best first) or a hyperparameter.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the first N, best first.")
def show(
    store: Path, output: str, out: Path | None, best: bool, front: bool, sort: str | None, top: int | None
) -> None:
    """Show a stored study, finished or running.

    It only reads, and runs no code of the study.
    """
    from evohpo.study import load

    check_out(out, store)
    with load(store) as study:
        deliver(study, output, out, best=best, front=front, sort=sort, top=top)
