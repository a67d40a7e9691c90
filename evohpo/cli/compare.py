"""`evohpo compare`: optimizers on the same problems and seeds, with an honest verdict. `evohpo problems`: built-in ones."""

from __future__ import annotations

import io
import shlex
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from evohpo.cli import loading
from evohpo.cli.output import check_out, fit, make_console, print_table, quiet_stdout
from evohpo.cli.run import import_plugins
from evohpo.cli.working import COUNT
from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evohpo.bench import Comparison
    from evohpo.bench.problems import Problem
    from evohpo.space import Space

WIDE = 80  # characters of the table, at most
NAMED = 24  # of them an optimizer's label


@click.command()
@click.argument("problem", nargs=-1, required=True)
@click.option(
    "--optimizer", "optimizers", multiple=True, metavar="NAME", help='Repeat for each; "NAME KEY=VALUE" has options.'
)
@click.option("--space", metavar="SPACE", help="Of a function: space.toml, module:name or file.py:name.")
@click.option("--maximize", multiple=True, metavar="NAME", help="Of a function: a metric to be made large.")
@click.option("--minimize", multiple=True, metavar="NAME", help="Of a function: a metric to be made small.")
@click.option(
    "--constraint", multiple=True, metavar="TEXT", help='Of a function: a bound on metrics, e.g. "seconds <= 1".'
)
@click.option("--trials", type=COUNT, required=True, help="Budget of each run.")
@click.option("--seeds", type=COUNT, default=10, show_default=True, help="Runs of each optimizer on each problem.")
@click.option("--workers", type=COUNT, default=1, show_default=True, help="Runs at once, each in its own process.")
@click.option("--population", type=COUNT, help="Trials a generation, for all.")
@click.option(
    "--initial", type=click.IntRange(min=0), default=1, show_default=True, help="Random configurations all try first."
)
@click.option("--pruner", metavar="NAME", help="asha, pasha, hyperband, halving, median, percentile or plateau.")
@click.option("--pruner-option", multiple=True, metavar="KEY=VALUE", help="An option of the pruner, e.g. max_steps=81.")
@click.option("--plugin", multiple=True, metavar="FILE", help="A Python file that registers optimizers.")
@click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the runs; the same call goes on.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write all tables and plots as HTML.",
)
@click.option(
    "--curves", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the best so far as CSV."
)
@click.option("--quiet", is_flag=True, help="No progress.")
def compare(**given: Any) -> None:
    """Compare optimizers on PROBLEM, with the same budget and seeds for all.

    PROBLEM is a function of a dict, given as module:name or file.py:name, or the name of a built-in problem, see
    `evohpo problems`; several are searched one after the other.

    \b
    evohpo compare rastrigin/5 mixed-sphere/10 --optimizer de --optimizer "ga population=40" --trials 200 --report compare.html
    evohpo compare train.py:train --space space.toml --maximize accuracy --optimizer ga --optimizer random --trials 50
    """  # noqa: D301 - click wants the character itself
    from evohpo.bench import compare as run
    from evohpo.pruners.naming import make_pruner

    if len(given["optimizers"]) < 2:
        raise UsageError("a comparison takes two optimizers at least: --optimizer ga --optimizer de")
    for file in (given["report"], given["curves"]):
        check_out(file, None)
    with quiet_stdout():
        import_plugins(given)
        problems = _problems(given)
        optimizers = _optimizers(given["optimizers"])
        pruner = make_pruner(given["pruner"], loading.options(given["pruner_option"])) if given["pruner"] else None
        same = ("trials", "seeds", "workers", "population", "initial", "store")
        try:
            comparison = run(
                problems, optimizers, pruner=pruner, progress=not given["quiet"], **{name: given[name] for name in same}
            )
        except KeyboardInterrupt:
            if given["store"] is not None:
                click.echo("evohpo: the same command goes on where this one was", err=True)
            raise
    click.echo(_table(comparison))
    for line in comparison.verdict().splitlines():
        click.echo(fill(line, WIDE, break_on_hyphens=False))
    if given["curves"] is not None:
        comparison.curves().to_csv(given["curves"], index=False)
    if given["report"] is not None:
        click.echo(f"Wrote {comparison.write_report(given['report'])}", err=True)


def _problems(given: dict[str, Any]) -> list[Problem]:
    """Return built-in problems, objects that are problems, and functions with the space and goals of the options."""
    from evohpo.bench.problems import Problem, get
    from evohpo.trials.goals import Goals

    made: list[Problem] = []
    space: Space | None = None
    for text in given["problem"]:
        if ":" not in text:
            made.append(get(text))
            continue
        found = loading.load_object(text, "problem")
        if isinstance(found, Problem):
            made.append(found)
            continue
        objective = loading.load_objective(text)
        if space is None:
            if given["space"] is None:
                raise UsageError(f"{text} is a function: say what is searched, --space, and --minimize or --maximize")
            space = loading.load_space(given["space"])
        goals = Goals.of(given["maximize"], given["minimize"], given["constraint"])
        made.append(Problem(text.rpartition(":")[2], objective, space, goals))
    if space is None and any(given[name] for name in ("space", "maximize", "minimize", "constraint")):
        raise UsageError(
            "--space, --maximize, --minimize and --constraint are for functions; these problems have their own"
        )
    return made


def _optimizers(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return optimizers by the text that asked for them."""
    made: dict[str, Any] = {}
    for text in texts:
        try:
            target, *options = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"--optimizer {text!r}: write a name, or a name and options: de weight=0.7") from error
        label = " ".join([target.rpartition(":")[2], *options])
        if label in made:
            raise UsageError(f"--optimizer {text!r}: is named twice")
        made[label] = loading.load_optimizer(target, loading.options(tuple(options)))
    return made


def _table(comparison: Comparison) -> str:
    """Return the table of a comparison in at most 80 characters a line."""
    frame = comparison.table()
    several = len(comparison.problems) > 1
    headings = {"optimizer": "optimizer", "rank": "rank"}
    headings |= {} if several else {"mean": f"best {comparison.problems[0].measure}", "low": "from", "high": "to"}
    headings |= {"regret": "regret"} | (
        {"regret_low": "from", "regret_high": "to"} if several else {"median": "median"}
    )
    headings |= {"failed": "failed"} if frame["failed"].any() else {}
    headings |= {"without": "no result"} if frame["without"].any() else {}
    headings |= {"cpu": "CPU ms"}
    columns = {h: [_cell(name, v) for v in frame[name]] for name, h in headings.items()}
    if several:
        ranks = comparison.ranks().set_index("optimizer").loc[frame["optimizer"]]
        columns |= {p.name: [f"{v:.2f}" for v in ranks[p.name]] for p in comparison.problems}
    console = make_console()
    console.width = min(console.width, WIDE)
    shown, left = fit(columns, console.width)
    print_table(console, {name: columns[name] for name in shown}, widest=NAMED)
    if left:
        count = len(left)
        console.print(f"({count} more column{'' if count == 1 else 's'} in --report)", style="dim", markup=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _cell(name: str, value: Any) -> str:
    from evohpo.analysis.plots.frame import number

    if isinstance(value, str):
        return value
    if name == "cpu":
        return "" if value != value else f"{1000 * value:.2g}"
    return f"{value:.2f}" if name == "rank" else number(float(value), 4)


@click.command()
def problems() -> None:
    """List the built-in problems that `evohpo compare` knows by name."""
    from evohpo.bench.problems.catalogue import FAMILIES, PLAIN
    from evohpo.bench.problems.landscapes import LANDSCAPES

    def listed(names: Iterable[str]) -> str:
        return fill(", ".join(names), WIDE, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)

    click.echo("Landscapes, written NAME, NAME/DIM or NAME/DIM/INSTANCE, such as rastrigin/5")
    click.echo(listed(LANDSCAPES))
    click.echo("\nWhat may stand before such a name, as in mixed-sphere/10/3")
    for prefix, words in FAMILIES.items():
        click.echo(fill(words, WIDE, initial_indent=f"  {prefix:<14}", subsequent_indent=" " * 16))
    click.echo("\nOthers, which have a size of their own")
    click.echo(listed(PLAIN))
