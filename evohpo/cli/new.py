"""`evohpo new`: writes a plugin project, complete and passing its own tests."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from string import Template

import click

from evohpo.errors import UsageError

FILES = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    "evohpo_{module}/__init__.py": "module.py.in",
    "tests/test_{module}.py": "test.py.in",
}


@click.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write it; ./NAME by default.")
def new(name: str, folder: Path | None) -> None:
    """Write a plugin project for an optimizer NAME: code, README, tests, pyproject.toml."""
    where = folder or Path(name)
    write(name, where)
    click.echo(f"Wrote {where}. Its tests, in an environment of its own:\n")
    click.echo(f"  cd {where}")
    click.echo("  python -m venv .venv")
    click.echo(f'  .venv/bin/pip install {_evohpo()}-e ".[test]"')
    click.echo("  .venv/bin/pytest")


def write(name: str, folder: Path) -> None:
    """Write the project.

    Raises:
        UsageError: the name cannot be an optimizer's or is taken, or the folder is not empty.
    """
    from evohpo import __version__
    from evohpo.optimizers import registry

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"{name!r}: a name is lower-case letters, digits and single hyphens, e.g. my-de")
    if name in registry.names():
        raise UsageError(f"there is an optimizer {name!r} already: choose another name")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already: give --folder, or another name")
    module = name.replace("-", "_")
    texts = resources.files("evohpo.cli") / "template"
    for path, source in FILES.items():
        file = folder / path.format(module=module)
        file.parent.mkdir(parents=True, exist_ok=True)
        text = Template((texts / source).read_text("utf-8"))
        file.write_text(text.substitute(name=name, module=module, version=__version__), "utf-8")


def _evohpo() -> str:
    """Return the folder evohpo was installed from, for pip; "" where it came from an index."""
    import json
    from importlib import metadata

    found = json.loads(metadata.distribution("evohpo").read_text("direct_url.json") or "{}")
    url = str(found.get("url", ""))
    return f"{url.removeprefix('file://')} " if url.startswith("file://") else ""
