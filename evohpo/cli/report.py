"""`evohpo report`: a stored study as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from evohpo.cli.output import check_out


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Where to write it. [default: the store's name with .html]",
)  # fmt: skip
def report(store: Path, out: Path | None) -> None:
    """Write a report of a stored study, finished or running: one HTML file that opens offline.

    It only reads, and runs no code of the study.

    \b
    evohpo report study.db --out report.html
    """  # noqa: D301 - click wants the character itself
    from evohpo.study import load

    with load(store) as study:
        out = out or store.with_suffix(".html")
        check_out(out, store)
        from rich.console import Console

        with Console(stderr=True).status(f"Learning from {len(study.trials)} trials"):
            path = study.write_report(out)
        click.echo(f"Wrote {path}")
