"""Types of fields that take any JSON: how large it may be, and which of its keys are checked."""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def bounded(most: int) -> AfterValidator:
    """A JSON value of at most so many bytes."""

    def check(value: Any) -> Any:
        if value is not None and len(orjson.dumps(value)) > most:
            raise PydanticCustomError("too_large", "must have at most {most} bytes as JSON", {"most": most})
        return value

    return AfterValidator(check)


class Checked:
    """Marks a JSON object that is checked by a model, has its schema, and stays as it was sent."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What Pydantic asks for the way to check it."""

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
    Field(description=f"For game masters only: any JSON up to {MAX_GM_BYTES >> 10} KiB."),
    bounded(MAX_GM_BYTES),
]
"""The key `gm` of a resource."""
