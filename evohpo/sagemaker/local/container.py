"""One training container, without a container: the folders, files and variables that a script finds, and its process.

Three ways to start a script are known, as of the service: a command that stands for an image (called with "train"), script
mode (`sagemaker_program` and `sagemaker_submit_directory` among the hyperparameters), and a container entry point.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from evohpo.sagemaker.local.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evohpo.sagemaker.local.cloud import Cloud

OPT_ML = Path("/opt/ml")
OWN = (  # hyperparameters for the container, which script mode keeps from the script
    *(f"sagemaker_{name}" for name in ("program", "submit_directory", "container_log_level", "job_name", "region")),
    *("sagemaker_enable_cloudwatch_metrics", "sagemaker_s3_output", "default_user_module_name"),
    "_tuning_objective_metric",  # added to each job of a tuning job
)


class Container:
    """What one job runs in.

    Args:
        request: the CreateTrainingJob request.
        folder: what is `/opt/ml` for the script. Where the system allows it, it really is mounted there for this process
            alone; else `SAGEMAKER_BASE_DIR` says where it is.
        cloud: where channels come from.
        images: by image, the command that stands for it.
        environment: what the script needs to reach the service.
    """

    def __init__(
        self, request: Mapping[str, Any], folder: Path, cloud: Cloud, images: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.request, self.folder, self._cloud, self._images, self._environment = (
            request, folder, cloud, images, environment,
        )  # fmt: skip
        self.mounted = can_mount()
        self.base = OPT_ML if self.mounted else folder
        self.checkpoints = self._here(
            request.get("CheckpointConfig", {}).get("LocalPath", f"{OPT_ML}/checkpoints")
        )  # the script's folder of checkpoints, as seen from here
        self.hyperparameters: dict[str, str] = dict(request.get("HyperParameters", {}))
        self._process: subprocess.Popen[str] | None = None

    # ---- before

    def prepare(self) -> None:
        """Make the folders, write the configuration files, fetch the channels and the checkpoints."""
        for name in ("input/config", "input/data", "model", "output/data", "code"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        channels = {}
        for channel in self.request.get("InputDataConfig", ()):
            name = channel["ChannelName"]
            source = channel["DataSource"].get("S3DataSource", {})
            self._cloud.download(source.get("S3Uri", ""), self.folder / "input/data" / name)
            channels[name] = {
                "TrainingInputMode": "File", "RecordWrapperType": "None", "S3DistributionType": "FullyReplicated",
                "ContentType": channel.get("ContentType", ""),
            }  # fmt: skip
        instance = self.request["ResourceConfig"].get("InstanceType", "")
        resources = {
            "current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": instance,
            "current_group_name": "homogeneousCluster", "network_interface_name": "lo",
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": ["algo-1"]}
            ],
        }  # fmt: skip
        config = self.folder / "input/config"
        for name, content in (
            ("hyperparameters", self.hyperparameters), ("inputdataconfig", channels), ("resourceconfig", resources),
        ):  # fmt: skip
            (config / f"{name}.json").write_text(json.dumps(content), "utf-8")
        if "S3Uri" in self.request.get("CheckpointConfig", {}):
            self._cloud.download(self.request["CheckpointConfig"]["S3Uri"].rstrip("/") + "/", self.checkpoints)
        if "sagemaker_program" in self.hyperparameters:
            self._unpack()

    def _unpack(self) -> None:
        uri = _plain(self.hyperparameters.get("sagemaker_submit_directory", ""))
        if not str(uri).startswith("s3://"):
            return  # the code is in the image
        archive = self.folder / "source"
        self._cloud.download(uri, archive)
        for path in archive.iterdir():
            with tarfile.open(path) as tar:
                tar.extractall(self.folder / "code", filter="data")

    # ---- the process

    def start(self) -> IO[str]:
        """Start the script and return what it prints.

        Raises:
            ApiError: there is no command for the image.
        """
        command, where = self._command(), self.folder / "code"
        if self.mounted:
            script = f'mount --bind "$0" {OPT_ML} && cd {OPT_ML}/code && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", script, str(self.folder), *command]
        self._process = subprocess.Popen(  # noqa: S603 - running the user's script is what this is for
            command, cwd=where, env=self._variables(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        return self._process.stdout

    def _command(self) -> list[str]:
        algorithm = self.request["AlgorithmSpecification"]
        if algorithm.get("ContainerEntrypoint"):
            return [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", ())]
        if "sagemaker_program" in self.hyperparameters:
            program = str(_plain(self.hyperparameters["sagemaker_program"]))
            return [sys.executable, str(self.base / "code" / program), *self._arguments()]
        image = algorithm.get("TrainingImage") or algorithm.get("AlgorithmName", "")
        if image not in self._images:
            known = ", ".join(self._images) or "none"
            raise ApiError(
                "ClientError", f"image {image} has no command here: give the local service images= (it knows {known})"
            )
        return [*self._images[image], "train"]

    def _arguments(self) -> list[str]:
        """Return the script's arguments, as script mode makes them of the hyperparameters."""
        arguments = []
        for name, text in sorted(self.hyperparameters.items()):
            if name not in OWN:
                value = _plain(text)
                arguments += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
        return arguments

    def _variables(self) -> dict[str, str]:
        base, values = self.base, {n: _plain(v) for n, v in self.hyperparameters.items() if n not in OWN}
        channels = [c["ChannelName"] for c in self.request.get("InputDataConfig", ())]
        kept = {n: v for n, v in os.environ.items() if n in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")}
        return {
            **kept, **self._environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
            "TRAINING_JOB_NAME": self.request["TrainingJobName"],
            **({} if self.mounted else {"SAGEMAKER_BASE_DIR": str(base)}),
            "SM_MODEL_DIR": f"{base}/model", "SM_INPUT_DIR": f"{base}/input", "SM_INPUT_CONFIG_DIR": f"{base}/input/config",
            "SM_OUTPUT_DIR": f"{base}/output", "SM_OUTPUT_DATA_DIR": f"{base}/output/data", "SM_NUM_GPUS": "0",
            "SM_NUM_CPUS": str(os.cpu_count() or 1), "SM_HOSTS": '["algo-1"]', "SM_CURRENT_HOST": "algo-1",
            "SM_CHANNELS": json.dumps(channels), **{f"SM_CHANNEL_{c.upper()}": f"{base}/input/data/{c}" for c in channels},
            "SM_HPS": json.dumps(values), **{f"SM_HP_{n.upper()}": "" if v is None else str(v) for n, v in values.items()},
            **self.request.get("Environment", {}),
        }  # fmt: skip

    def signal(self, number: int) -> None:
        """Send a signal to the script and all it started."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return

    def wait(self) -> int:
        """Wait for the script; return its exit code. What it left running ends, too."""
        assert self._process is not None
        code = self._process.wait()
        self.signal(signal.SIGKILL)
        return code

    # ---- after

    @property
    def failure(self) -> str:
        """What the script wrote of its failure, "" if nothing."""
        path = self.folder / "output/failure"
        return path.read_text("utf-8", "replace")[:1024] if path.is_file() else ""

    def save(self) -> None:
        """Pack model and output data, and store them where the request says."""
        where = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        for name, folder in (("model", self.folder / "model"), ("output", self.folder / "output/data")):
            if name == "model" or any(folder.iterdir()):
                archive = self.folder / f"{name}.tar.gz"
                with tarfile.open(archive, "w:gz") as tar:
                    tar.add(folder, ".")
                self._cloud.put(archive, f"{where}/{self.request['TrainingJobName']}/output/{name}.tar.gz")

    def clear(self) -> None:
        """Take away what the script left on this machine."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _here(self, path: str) -> Path:
        """Return where a path of the script's is, seen from this process."""
        inside = Path(path)
        return self.folder / inside.relative_to(OPT_ML) if inside.is_relative_to(OPT_ML) else inside


@cache
def can_mount() -> bool:
    """Return whether this process may give others an `/opt/ml` of their own."""
    unshare = shutil.which("unshare")
    if unshare is None or os.name != "posix" or os.geteuid() != 0:
        return False
    try:
        OPT_ML.mkdir(parents=True, exist_ok=True)
        probe = ["unshare", "-m", "sh", "-c", f"mount --bind /tmp {OPT_ML}"]
        return subprocess.run(probe, capture_output=True, timeout=10, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False


def _plain(text: str) -> Any:
    """Return what a hyperparameter's text says: JSON where it is some, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
