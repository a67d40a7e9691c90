"""`evohpo sagemaker-local`: SageMaker on this machine, until Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import threading

import click

from evohpo.cli.loading import options


@click.command("sagemaker-local")
@click.option("--port", default=0, show_default="any free port", help="Where to listen, on 127.0.0.1.")
@click.option("--image", multiple=True, metavar="IMAGE=COMMAND", help="The command that stands for an image.")
@click.option("--quota", type=click.IntRange(min=0), help="Instances of a type that may be in use at once.")
@click.option("--processes", type=click.IntRange(min=1), help="Scripts that run at once; others are pending.")
def sagemaker_local(port: int, image: tuple[str, ...], quota: int | None, processes: int | None) -> None:
    """Run a SageMaker on this machine: training jobs are processes, S3 and the logs are in memory.

    Prints the variables that lead boto3 and the SageMaker SDKs here; set them where your code runs. Ctrl-C ends it.
    """
    from evohpo.sagemaker.local import LocalSageMaker

    commands = {name: shlex.split(str(command)) for name, command in options(image).items()}
    aws = LocalSageMaker(commands, port=port, quota=quota, processes=processes)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    for name, value in aws.environment.items():
        click.echo(f"export {name}={value}")
    click.echo(f"# bucket {aws.bucket}, role {aws.role}; Ctrl-C ends it")
    try:
        over.wait()
    except KeyboardInterrupt:
        pass
    finally:
        aws.close()
        click.echo(f"Stopped after {len(aws.jobs.started)} training jobs.", err=True)
