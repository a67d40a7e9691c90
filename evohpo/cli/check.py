"""`evohpo check`: does an optimizer keep its promises?"""

from __future__ import annotations

import click

from evohpo.cli import loading
from evohpo.cli.group import FAILED
from evohpo.cli.output import quiet_stdout

COLORS = {"ok": "green", "failed": "red", "skipped": "yellow", "expected": "yellow"}


@click.command()
@click.argument("target")
@click.option("--option", multiple=True, metavar="KEY=VALUE", help="An option of the optimizer.")
@click.option("--plugin", multiple=True, metavar="FILE", help="A Python file that registers optimizers.")
@click.option("--expect", multiple=True, metavar="CHECK=REASON", help="A check that may fail, and why.")
@click.option("--json", "as_json", is_flag=True, help="The card as JSON.")
@click.pass_context
def check(
    ctx: click.Context,
    target: str,
    option: tuple[str, ...],
    plugin: tuple[str, ...],
    expect: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check that an optimizer keeps its promises.

    TARGET is a registered name, module:name or file.py:name.

    Exit code 1 if a check fails.
    """
    with quiet_stdout():
        from evohpo.testing import capability_card

        for path in plugin:
            loading.import_file(path, "plugin")
        optimizer = loading.load_object(target, "optimizer") if ":" in target else target
        expected = {name: str(reason) for name, reason in loading.options(expect).items()}
        card = capability_card(optimizer, expected=expected, **loading.options(option))
    if as_json:
        click.echo(card.to_json())
    else:
        click.echo(card.text(lambda text, status: click.style(text, fg=COLORS[status])))
    if not card.passed:
        ctx.exit(FAILED)
