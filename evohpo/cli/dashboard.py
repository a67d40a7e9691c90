"""`evohpo dashboard`: studies in a browser, while they run."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import click

from evohpo.errors import UsageError


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE...", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="any free port", help="The port to listen on."
)
@click.option("--token", help="What visitors have to bring; made where others than this machine can reach HOST.")
def dashboard(stores: tuple[Path, ...], host: str, port: int, token: str | None) -> None:
    """Show studies in a browser, finished or running, side by side.

    It only reads, and runs no code of the studies. A store may be made later. Ctrl-C ends it.

    \b
    evohpo dashboard study.db
    """  # noqa: D301 - click wants the character itself
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # the cores belong to the study that runs beside it; read at numpy's import
    try:
        from evohpo.dashboard import Dashboard
    except ImportError as error:
        raise UsageError(f"the dashboard needs more ({error}): pip install 'evohpo[dashboard]'") from error
    from evohpo.study.journal import exists

    if token is not None and not token.strip():
        raise UsageError("--token: must not be empty; leave it out to have one made")
    for store in stores:
        if not store.parent.is_dir():
            raise UsageError(f"store {store}: the folder {store.parent} does not exist")
        if not exists(store):
            click.echo(f"evohpo: store {store}: there is no study there yet; the page fills when there is", err=True)
    server = Dashboard(stores, host, port, token)
    if hasattr(os, "nice"):
        os.nice(5)  # for the same reason
    what = stores[0] if len(stores) == 1 else f"{len(stores)} studies"
    warnings.simplefilter(
        "ignore"
    )  # of libraries that fit models: what silences them elsewhere is not made for threads
    server.run(lambda: click.echo(f"Dashboard of {what}: {server.url} (Ctrl-C ends it)"))
    sys.stdout.flush()
    os._exit(0)  # not after the model that a thread is fitting; nothing is written here, so nothing is lost
