"""`evohpo optimizers`: which algorithms there are, and what options one has."""

from __future__ import annotations

import inspect
import io
from typing import Any

import click

from evohpo import plugins
from evohpo.cli import loading
from evohpo.cli.output import make_console, print_table, quiet_stdout


@click.command()
@click.argument("name", required=False)
@click.option("--plugin", multiple=True, metavar="FILE", help="A Python file that registers optimizers.")
def optimizers(name: str | None, plugin: tuple[str, ...]) -> None:
    """List the optimizers, or the options of one."""
    with quiet_stdout():
        for path in plugin:
            loading.import_file(path, "plugin")
    click.echo(_all() if name is None else _one(name), nl=False)


def _all() -> str:
    from evohpo.optimizers import available_adapters, available_optimizers

    found = list(available_optimizers().values())
    console = make_console()
    columns = {
        "name": [i.name for i in found],
        "origin": [i.origin for i in found],
        "objectives": [i.objectives for i in found],
        "constraints": ["itself" if i.traits.constraints else "ranked" for i in found],
        "encoding": [i.encoding for i in found],
        "reference": [i.reference or i.error for i in found],
    }
    print_table(console, columns, widest=60)
    console.print(
        "(evohpo optimizers NAME shows its options; constraints: what it does not know itself, the study ranks)"
    )
    adapters = available_adapters().values()
    console.print("\nLive objects are accepted of")
    columns = {
        "library": [i.name for i in adapters],
        "origin": [i.origin for i in adapters],
        "error": [i.error for i in adapters],
    }
    print_table(console, columns if any(columns["error"]) else {k: v for k, v in columns.items() if k != "error"})
    missing = [extra for root, extra in plugins.EXTRAS.items() if root not in available_adapters()]
    if missing:
        console.print(f"and, once installed (pip install 'evohpo[NAME]'), of {', '.join(missing)}")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _one(name: str) -> str:
    from evohpo.optimizers.registry import get
    from evohpo.optimizers.signatures import OFFERED

    entry = get(name)
    traits = entry.traits
    lines = [
        name,
        f"  origin       {entry.origin}",
        f"  objectives   {traits.objectives}",
        f"  constraints  {'reads violations itself' if traits.constraints else 'sees infeasible trials ranked last'}",
        f"  encoding     {'Real' if traits.encoding is None else type(traits.encoding).__name__}",
        *([f"  reference    {traits.reference}"] if traits.reference else []),
        *(f"  note         {note}" for note in entry.notes),
        "",
        inspect.getdoc(entry.target) or "(no documentation)",
        "",
        "Options",
    ]
    parameters = inspect.signature(entry.target).parameters.values()
    known = [p for p in parameters if p.name not in (*OFFERED, "evaluate") and p.kind is not p.VAR_POSITIONAL]
    lines += [f"  {_option(p)}" for p in known] or ["  none"]
    return "\n".join(lines) + "\n"


def _option(parameter: Any) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return "any other"
    if parameter.default is parameter.empty:
        return f"{parameter.name} (needed)"
    return f"{parameter.name} = {parameter.default!r}"
