"""Which files pytest leaves alone: examples, and adapters of large libraries that are not installed."""

from importlib.util import find_spec

collect_ignore_glob = ["*/example.py", *(f"{large}/*" for large in ("ax", "ray") if find_spec(large) is None)]
