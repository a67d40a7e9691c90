"""A live, read-only view of studies in a browser: it reads their journals and nothing else."""

from evohpo.dashboard.app import create_app
from evohpo.dashboard.serving import Dashboard

__all__ = ["Dashboard", "create_app"]
