"""The app with default settings and its OpenAPI document: made once for all test modules that ask them."""

from pydantic import SecretStr

from game.core.openapi import operations
from game.core.settings import Settings
from game.main import create_app

APP = create_app(
    Settings(
        _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings, untyped
        secret_key=SecretStr("x" * 40),
    )
)
DOCUMENT = APP.openapi()
OPERATIONS = {
    operation["operationId"]: (path, method, operation) for path, method, operation in operations(DOCUMENT)
}
"""Path, method and description of each operation, by its name."""
