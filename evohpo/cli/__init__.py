"""The command line: `evohpo run`, `resume`, `serve`, `show`, `report`, `dashboard` and more.

Commands import what they use when they run, so that `evohpo --help` answers at once.
"""

from __future__ import annotations

import click

import evohpo
from evohpo.cli.check import check
from evohpo.cli.compare import compare, problems
from evohpo.cli.dashboard import dashboard
from evohpo.cli.demo import demo
from evohpo.cli.group import Group
from evohpo.cli.new import new
from evohpo.cli.optimizers import optimizers
from evohpo.cli.report import report
from evohpo.cli.run import resume, run
from evohpo.cli.sagemaker_local import sagemaker_local
from evohpo.cli.serve import serve
from evohpo.cli.show import show

__all__ = ["main"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(evohpo.__version__, message="evohpo %(version)s")
def main() -> None:
    """Bring your own algorithm: evolutionary optimization of hyperparameters.

    Errors are one line on standard error and exit code 2, or 1 where a run itself failed; --debug, anywhere on the line,
    shows the traceback too.
    """


for command in (
    run, resume, compare, problems, serve, show, report, dashboard, optimizers, check, new, sagemaker_local, demo,
):  # fmt: skip
    main.add_command(command)
