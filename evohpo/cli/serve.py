"""`evohpo serve`: a study for workers that ask for trials over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evohpo.cli.output import check_out, quiet_stdout
from evohpo.cli.run import (
    DEFINING,
    LASTING,
    check_defined,
    defined,
    end,
    import_plugins,
    kept,
    noted,
    reopened,
    stop_rule,
    with_options,
)
from evohpo.cli.working import COUNT, SECONDS
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.service import HTTP
    from evohpo.study import Study


@click.command()
@click.argument("study", required=False, metavar="[STORE]", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 lets other machines in.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default="any free port", help="The port to listen on."
)
@click.option(
    "--token", envvar="EVOHPO_TOKEN", show_envvar=True,
    help="What workers have to show; made where others than this machine can reach HOST.",
)  # fmt: skip
@click.option(
    "--lease", type=SECONDS, default=60.0, show_default=True, metavar="S",
    help="Seconds of silence after which a worker's trial is given to another.",
)  # fmt: skip
@click.option(
    "--retries", type=click.IntRange(min=0), default=2, show_default=True, help="How often, before the trial fails."
)
@click.option("--workers", type=COUNT, help="Trials that are out at once. [default: as many as are asked for]")
@click.option("--space", metavar="SPACE", help="Of a new study: space.toml, module:name or file.py:name.")
@with_options(DEFINING, LASTING)
@click.pass_context
def serve(ctx: click.Context, /, **given: Any) -> None:
    """Give the trials of a study to workers that ask for them over HTTP.

    It goes on with the study at STORE, which `evohpo run` or a program made, or begins a new one. Without a budget it serves
    until Ctrl-C. Python workers: evohpo.connect(URL).run(train). For others, URL/api/v1/openapi.json describes what to send.

    \b
    evohpo serve study.db --port 8000
    evohpo serve --space space.toml --maximize accuracy --optimizer ga --trials 100 --store study.db
    """  # noqa: D301 - click wants the character itself
    from evohpo.service import serve as serve_

    store: Path | None = given["study"]
    if (store is None) == (given["space"] is None):
        raise UsageError("give either STORE, to go on with a study, or --space for a new one")
    study, arguments = _new(given) if store is None else _stored(store, given)

    def started(evaluator: HTTP) -> None:
        click.echo(f"Workers ask at {evaluator.url} (Ctrl-C ends it)", err=True)
        if evaluator.token is not None and given["token"] is None:
            click.echo(f"Their token: {evaluator.token}", err=True)

    before = study.ledger.ended
    with quiet_stdout():
        serve_(
            study, host=given["host"], port=given["port"], token=given["token"], lease=given["lease"],
            retries=given["retries"], workers=given["workers"], trial_timeout=arguments.get("trial_timeout"),
            started=started, trials=arguments.get("trials"), generations=arguments.get("generations"),
            timeout=arguments.get("timeout"), stop=stop_rule(arguments), progress=not given["quiet"],
        )  # fmt: skip
    end(ctx, study, given, "serve")
    if store is not None and study.ledger.ended == before:
        click.echo("evohpo: its budget was spent already; give more, e.g. --trials or --generations", err=True)


def _new(given: dict[str, Any]) -> tuple[Study, dict[str, Any]]:
    """Return a new study, and what its notes keep."""
    from evohpo.study import Study

    check_defined(given)
    arguments = kept(given)
    with quiet_stdout():
        import_plugins(arguments)
    return Study(**defined(given, arguments)), arguments


def _stored(store: Path, given: dict[str, Any]) -> tuple[Study, dict[str, Any]]:
    """Return a stored study, and what its notes keep, with the options that are given now."""
    check_out(given["out"], store)
    arguments = noted(store, given) or kept(given)
    with quiet_stdout():
        return reopened(store, arguments), arguments
