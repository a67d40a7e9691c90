"""What the local service answers where a request cannot be carried out."""

from __future__ import annotations


class ApiError(Exception):
    """An error as the API spells it.

    Attributes:
        code: the error's name, such as "ValidationException".
        message: what is wrong.
        status: the HTTP status: 400 for the caller's mistakes, 500 for the service's.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status
        super().__init__(f"{code}: {message}")


def invalid(message: str) -> ApiError:
    """Return the error for a request that breaks a rule of the API."""
    return ApiError("ValidationException", message)
