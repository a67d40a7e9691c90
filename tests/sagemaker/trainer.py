"""What the training jobs of these tests run: a loss of x, step by step, with the habits and vices of real scripts."""

import json
import os
import pathlib
import sys
import time


def main() -> None:
    base = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    given = json.loads((base / "input/config/hyperparameters.json").read_text())
    x, steps, pause, mode = (
        float(given["x"]),
        int(given.get("steps", 3)),
        float(given.get("pause", 0)),
        given.get("mode", ""),
    )

    if mode == "raise" and x > 0.5:
        raise ValueError(f"x = {x} is too large")
    if mode == "failure file":
        (base / "output/failure").write_text(f"the data of x = {x} cannot be read")
        sys.exit(1)
    if mode == "hang":
        time.sleep(3600)
    steps = min(steps, int(os.environ.get("EVOHPO_LIMIT", steps)))
    checkpoint = base / "checkpoints/step.txt"
    done = int(checkpoint.read_text()) if checkpoint.is_file() and mode != "forgetful" else 0
    for step in range(done + 1, steps + 1):
        time.sleep(pause)
        loss = {"nan": float("nan"), "tiny": -9.5e-05 * x}.get(mode, (x - 0.3) ** 2 + 1 / step)
        if mode != "silent":
            print(f"epoch={step} loss={loss!r} seconds=1.5", flush=True)
        checkpoint.with_suffix(".new").write_text(str(step))
        checkpoint.with_suffix(".new").replace(checkpoint)
    (base / "model/x.txt").write_text(str(x))


if __name__ == "__main__":
    main()
