"""What all commands share: errors become one readable line and an exit code, warnings become a line."""

from __future__ import annotations

import difflib
import errno
import os
import sys
import traceback
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from evohpo.errors import EvohpoError, EvohpoWarning, OptimizerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


class Group(click.Group):
    """A group of commands that never shows a traceback, unless `--debug` stands on the line."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]  # always exits
        """Run the command that `args` name and exit with its code."""
        arguments = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in arguments
        arguments = [a for a in arguments if a != "--debug"]
        with _readable_warnings():
            try:
                code = super().main(arguments, prog_name, **extra | {"standalone_mode": False})
                sys.stdout.flush()
            except (click.ClickException, click.Abort, EvohpoError, OSError) as error:
                if debug:
                    traceback.print_exc()
                code = _code_and_line(error)
        sys.exit(code if isinstance(code, int) else 0)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.commands, n=1) or sorted(self.commands)
            ctx.fail(f"There is no command {args[0]!r}; did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)


def _code_and_line(error: Exception) -> int:
    """Print one line for `error` and return the exit code it stands for."""
    if isinstance(error, click.Abort):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return MISUSED
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "evohpo"
        _say(" ".join(error.format_message().split()) + f" (see {path} --help)", path)
        return MISUSED
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:  # `evohpo show ... | head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 0
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return MISUSED
    _say(str(error))
    return FAILED if isinstance(error, OptimizerError) else MISUSED


def _say(text: str, who: str = "evohpo") -> None:
    click.echo(f"{who}: {text}", err=True)


@contextmanager
def _readable_warnings() -> Iterator[None]:
    """Show warnings of ours as a line, without the file and the source line they came from."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", EvohpoWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, EvohpoWarning):
                _say(f"warning: {message}")
            else:
                usual(message, category, *where, **more)

        warnings.showwarning = show
        yield
