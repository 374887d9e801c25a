"""Field types for arbitrary JSON: they limit its size and validate some of its keys."""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def bounded(limit: int) -> AfterValidator:
    """A JSON value of limited size in bytes."""

    def check(value: Any) -> Any:
        if value is not None and len(orjson.dumps(value)) > limit:
            raise PydanticCustomError("too_large", "must have at most {most} bytes as JSON", {"most": limit})
        return value

    return AfterValidator(check)


class Checked:
    """Marks a JSON object that is validated by a model and has its schema, but is kept as it was sent."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook for the validation."""

        def check(value: Any, by_model: Any) -> Any:
            by_model(value)
            return value

        return core_schema.no_info_wrap_validator_function(
            check,
            handler.generate_schema(self._model),
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda value, _: value, schema=handler.generate_schema(self._model)
            ),
        )


MAX_GM_BYTES = 64 * 2**10
GameMastersOnly = Annotated[
    Any,
    Field(description=f"For game masters only: any JSON, up to {MAX_GM_BYTES >> 10} KiB."),
    bounded(MAX_GM_BYTES),
]
"""The key `gm` of a resource."""
