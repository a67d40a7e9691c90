"""Components of TorchX, as users write them."""

from torchx import specs


def app(*words: str) -> specs.AppDef:
    """A job of one process that runs a shell."""
    return specs.AppDef("train", [specs.Role("trainer", image="", entrypoint="sh", args=["-c", *words])])


def train(x: float, layers: list, folder: str, scale: float = 1.0) -> specs.AppDef:
    """Print a loss, and what was given."""
    return app(
        'echo "loss=$1"; echo "$2 $EVOHPO_TRIAL $FURTHER" > "$3/said.txt"', "sh", str(x * scale), str(layers), folder
    )


def sleeping() -> specs.AppDef:
    """Take long."""
    return app("echo epoch=1 loss=1; exec sleep 600")


def failing() -> specs.AppDef:
    """Fail."""
    return app("echo loss=1; echo out of luck; exit 3")
