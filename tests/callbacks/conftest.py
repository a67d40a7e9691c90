"""Services that must not be called home, and what the writers' tests share."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture(autouse=True)
def quiet_services(monkeypatch):
    """No telemetry, no error reports, nothing online; a connection to another machine fails the test that makes it."""
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "WANDB_ERROR_REPORTING": "false", "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    calls = []
    connect = socket.socket.connect

    def only_here(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            calls.append(address)
            raise OSError(f"a test called {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)
    yield
    assert not calls
