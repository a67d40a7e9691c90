"""`evohpo run` starts a study from the command line, `evohpo resume` goes on with one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evohpo.cli import loading, working
from evohpo.cli.group import FAILED, INTERRUPTED
from evohpo.cli.output import FORMATS, check_out, deliver, quiet_stdout
from evohpo.cli.working import COUNT, SECONDS, WORKING
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from evohpo.evaluators import Evaluator
    from evohpo.study import Stop, Study

Function = TypeVar("Function", bound=Callable[..., Any])
NOTES = "command line"  # where the study's notes keep what `resume` needs
TOP = 10  # trials shown after a run

DEFINING: list[Callable[[Any], Any]] = [
    click.option("--maximize", multiple=True, metavar="NAME", help="A metric to be made large; repeat for several."),
    click.option("--minimize", multiple=True, metavar="NAME", help="A metric to be made small; repeat for several."),
    click.option("--constraint", multiple=True, metavar="TEXT", help='A bound on metrics, e.g. "seconds <= 1".'),
    click.option(
        "--optimizer", default="auto", metavar="NAME", help="A name of `evohpo optimizers`, module:name or file.py:name."
    ),
    click.option("--option", "option", multiple=True, metavar="KEY=VALUE", help="An option of the optimizer."),
    click.option("--pruner", metavar="NAME", help="asha, pasha, hyperband, halving, median, percentile or plateau."),
    click.option("--pruner-option", multiple=True, metavar="KEY=VALUE", help="An option of the pruner, e.g. max_steps=81."),
    click.option("--population", type=COUNT, help="Trials a generation."),
    click.option("--seed", type=click.IntRange(min=0), help="Root of all randomness; drawn and shown where not given."),
    click.option("--store", type=click.Path(path_type=Path), metavar="FILE", help="Keep the study here; the same call goes on."),
    click.option("--name", help="A name for people."),
    click.option("--owner", help="Whose study it is."),
    click.option("--description", help="What it is about."),
    click.option("--initial", metavar="JSON", help="Configurations to try first, as JSON or a .json file."),
    click.option("--lookahead", type=COUNT, metavar="L", help="Make a steady-state optimizer independent of timing."),
    click.option("--repeats", metavar="N", help='With noise: how often the best are measured, or "auto".'),
    click.option("--prior", multiple=True, metavar="FILE", help="An earlier study of a related task to learn from."),
    click.option("--duplicates", type=click.Choice(["reuse", "evaluate"]), default="reuse", show_default=True),
]  # fmt: skip
LASTING: list[Callable[[Any], Any]] = [
    click.option("--trials", type=COUNT, help="At most so many trials in all."),
    click.option("--generations", type=COUNT, help="At most so many generations."),
    click.option("--timeout", type=SECONDS, metavar="S", help="Seconds after which this run ends."),
    click.option("--trial-timeout", type=SECONDS, metavar="S", help="Seconds a single trial may run."),
    click.option("--stop-target", type=float, metavar="V", help="End when the first objective reaches this value."),
    click.option("--stagnation", type=COUNT, metavar="K", help="End after K generations without improvement."),
    click.option("--plugin", multiple=True, metavar="FILE", help="A Python file that registers optimizers."),
    click.option("--output", type=click.Choice(FORMATS), default="table", help="What to print in the end."),
    click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to a file instead."),
    click.option("--quiet", is_flag=True, help="No progress, and no table in the end."),
]  # fmt: skip
KEPT = (*working.KEPT, "trials", "generations", "timeout", "trial_timeout", "stop_target", "stagnation", "plugin")


def with_options(*groups: list[Callable[[Any], Any]]) -> Callable[[Function], Function]:
    """Return what adds options to a command, in this order."""

    def add(function: Function) -> Function:
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return add


@click.command()
@click.argument("objective")
@click.option("--space", required=True, metavar="SPACE", help="space.toml, module:name or file.py:name.")
@with_options(DEFINING, WORKING, LASTING)
@click.pass_context
def run(ctx: click.Context, /, **given: Any) -> None:
    """Search for the best hyperparameters of OBJECTIVE.

    OBJECTIVE is a function of a dict, given as module:name or file.py:name, or a script in any language, given as its command
    line: it gets the hyperparameters as options, and prints the metrics.

    \b
    evohpo run train.py:train --space space.toml --maximize accuracy --optimizer ga --trials 100 --workers 4 --store study.db
    evohpo run "python train.py" --space space.toml --maximize accuracy --metric "accuracy=acc: (\\S+)" --trials 100
    """  # noqa: D301 - click wants the character itself
    from evohpo.driver import check_run
    from evohpo.study import Study

    check_defined(given)
    arguments = kept(given) | {"objective": _lasting(given["objective"])}
    with quiet_stdout():
        import_plugins(arguments)
        objective = _objective(arguments["objective"])
    definition = defined(given, arguments)
    check_run(objective, arguments["workers"] or 1, arguments["trials"], arguments["generations"], arguments["timeout"])
    _check_budget(arguments, definition["optimizer"])
    evaluator = working.evaluator_of(arguments)
    _drive(ctx, Study(**definition), objective, arguments, evaluator, given)


def check_defined(given: dict[str, Any]) -> None:
    """Refuse a new study without objectives, and output that would overwrite it, before anything is imported."""
    if not given["maximize"] and not given["minimize"]:
        raise UsageError("say what to optimize: --maximize NAME or --minimize NAME")
    check_out(given["out"], given["store"])


def kept(given: dict[str, Any]) -> dict[str, Any]:
    """Return what a study's notes keep of the options of `DEFINING` and `LASTING`."""
    arguments: dict[str, Any] = {name: given.get(name) for name in KEPT}
    arguments |= {"optimizer": _lasting(given["optimizer"]), "cwd": str(Path.cwd())}
    return arguments | {"plugin": [str(Path(p).resolve()) for p in given["plugin"]]}


def defined(given: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `Study` that the options of `DEFINING` ask for; `arguments` are its notes."""
    from evohpo.pruners.naming import make_pruner

    with quiet_stdout():
        space = loading.load_space(given["space"])
        optimizer = loading.load_optimizer(arguments["optimizer"], loading.options(given["option"]))
    pruner = make_pruner(given["pruner"], loading.options(given["pruner_option"])) if given["pruner"] else None
    initial = loading.load_configs(given["initial"]) if given["initial"] else ()
    same = (
        "maximize",
        "minimize",
        "population",
        "duplicates",
        "lookahead",
        "seed",
        "store",
        "name",
        "owner",
        "description",
    )
    return {name: given[name] for name in same} | {
        "space": space, "constraints": given["constraint"], "optimizer": optimizer, "pruner": pruner, "initial": initial,
        "notes": {NOTES: arguments}, "repeats": _repeats(given["repeats"]), "prior": given["prior"],
    }  # fmt: skip


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--objective", metavar="OBJECTIVE", help="Where the objective is now, if it has moved.")
@with_options(WORKING, LASTING)
@click.pass_context
def resume(ctx: click.Context, /, **given: Any) -> None:
    """Go on with a study, after anything that stopped it.

    Every budget can be raised. It runs the objective that `evohpo run` was started with, so resume only
    studies whose code you trust.

    \b
    evohpo resume study.db
    evohpo resume study.db --trials 500
    """  # noqa: D301 - click wants the character itself
    store: Path = given["store"]
    check_out(given["out"], store)
    arguments = noted(store, given)
    if given["objective"]:
        arguments["objective"] = _lasting(given["objective"])
    if not arguments.get("objective"):
        raise UsageError(
            f"store {store}: was not made by `evohpo run`, so nothing says which objective it is about: go on in Python "
            f"with evohpo.load({str(store)!r}).run(objective, ...)"
        )
    with quiet_stdout():
        study = reopened(store, arguments)
        objective = _objective(arguments["objective"])
    before = study.ledger.ended
    _drive(ctx, study, objective, arguments, working.evaluator_of(arguments), given)
    if study.ledger.ended == before:
        click.echo("evohpo: its budget was spent already; give more, e.g. --trials or --generations", err=True)


def noted(store: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the notes of a stored study keep, with the options that are given now; {} if it was made otherwise."""
    from evohpo.study import load

    with load(store) as header:
        arguments = dict(header.settings.notes.get(NOTES, {}))
    return arguments | {name: given[name] for name in KEPT if given.get(name)} if arguments else {}


def reopened(store: Path, arguments: dict[str, Any]) -> Study:
    """Return a stored study that can go on, with the code of its optimizer where the notes say where that is."""
    from evohpo.study import load

    if arguments.get("cwd", "") not in ("", *sys.path):
        sys.path.insert(0, arguments["cwd"])
    import_plugins(arguments)
    optimizer = None
    if ":" in arguments.get("optimizer", ""):
        with load(store) as header:
            optimizer = loading.load_optimizer(arguments["optimizer"], header.settings.optimizer["options"])
    return load(store, optimizer=optimizer)


def _drive(
    ctx: click.Context, study: Study, objective: Any, arguments: dict[str, Any], evaluator: Evaluator | None,
    given: dict[str, Any],
) -> None:  # fmt: skip
    """Run, and end with what came of it."""
    with quiet_stdout():
        study.run(
            objective, trials=arguments["trials"], generations=arguments["generations"],
            workers=arguments["workers"] or 1, evaluator=evaluator, quorum=arguments.get("quorum"), stop=stop_rule(arguments),
            timeout=arguments["timeout"], progress=not given["quiet"],
        )  # fmt: skip
    end(ctx, study, given, "resume")


def end(ctx: click.Context, study: Study, given: dict[str, Any], command: str) -> None:
    """Show what came of a run, and exit with the code that says how it went; `command` goes on with it."""
    deliver(study, given["output"], given["out"], given["quiet"], top=TOP if given["output"] == "table" else None)
    if "interrupted" in study.stopped:
        if study.store is not None:
            click.echo(f"evohpo: interrupted; go on with: evohpo {command} {study.store}", err=True)
        ctx.exit(INTERRUPTED)
    if "failing" in study.stopped:
        ctx.exit(FAILED)


def stop_rule(arguments: dict[str, Any]) -> Stop | None:
    """Return the stop rule that the arguments of `run` ask for, if any."""
    from evohpo.study import Stop

    target, stagnation = arguments.get("stop_target"), arguments.get("stagnation")
    return None if target is None and stagnation is None else Stop(target=target, stagnation=stagnation)


def _check_budget(arguments: dict[str, Any], optimizer: Any) -> None:
    """Say that there is no budget before a store is made, not after."""
    from evohpo.optimizers import resolve

    given = any(
        arguments[name] is not None for name in ("trials", "generations", "timeout", "stop_target", "stagnation")
    )
    if not given and not resolve(optimizer).traits.finite:
        raise UsageError("say how long: --trials, --generations, --timeout, --stop-target or --stagnation")


def _objective(target: str) -> Any:
    """Return the function to call; None for a script."""
    return None if working.is_command(target) else loading.load_objective(target)


def _repeats(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() else text


def _lasting(target: str) -> str:
    """Return `file.py:name`, or a script, with the file's whole path, so that it is found from another folder."""
    if working.is_command(target):
        return working.lasting(target)
    home, colon, path = target.rpartition(":")
    return f"{Path(home).resolve()}:{path}" if colon and home.endswith(".py") else target


def import_plugins(arguments: dict[str, Any]) -> None:
    """Import the files of `--plugin`."""
    for path in arguments.get("plugin", ()):
        loading.import_file(path, "plugin")
