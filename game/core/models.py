"""Base classes and field types of tables and API models."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, PlainSerializer, WithJsonSchema
from pydantic import Field as Constraint
from sqlalchemy import Column, Computed, DateTime, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.names import MAX_DESCRIPTION as MAX_DESCRIPTION
from game.core.names import MAX_NAME as MAX_NAME
from game.core.names import Description as Description
from game.core.names import Name as Name

# Set before any table is defined: constraints get names that migrations can use.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Timestamp = Annotated[
    datetime,
    # Always with microseconds, so that the text equals the one that PostgreSQL builds for hot reads.
    PlainSerializer(
        lambda value: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), return_type=str, when_used="json"
    ),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def unset(description: str | None = None) -> Any:
    """The default of a field that may be absent but not null, in a PATCH or in a response to players."""
    return Constraint(default_factory=lambda: None, description=description)


def example(value: dict[str, Any]) -> Any:
    """The configuration of a model with an example in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [value]})


class ApiModel(SQLModel):
    """The base class of request and response models; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid")  # type: ignore[assignment]  # SQLModel narrows it


def rfc3339(column: str) -> str:
    """SQL that formats a time like `Timestamp`."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def timestamp_column(**options: Any) -> Any:
    """A column with a time and its time zone."""
    return Field(sa_type=DateTime(timezone=True), **options)


def now() -> datetime:
    """The current time."""
    return datetime.now(UTC)


def json_head(table: str, *columns: str) -> Column[str]:
    """The part of a document's JSON text that is the same for everybody who may read it, without the last brace.

    A generated column, by a function that a migration creates. Only hot statements use it, so it is not mapped
    (UNMAPPED_HEAD).
    """
    return Column("json_head", Text, Computed(f"{table}_json_head({', '.join(columns)})", persisted=True))


UNMAPPED_HEAD = {"exclude_properties": ["json_head"]}


class Assigned(JSONB):
    """JSONB that is written whenever it is assigned. Comparing values would miss changes: in Python, 1 equals
    True."""

    cache_ok = True

    def compare_values(self, x: Any, y: Any) -> bool:
        """Whether the attribute was not assigned."""
        return x is y


class Document(SQLModel):
    """The columns of every table with versioned rows."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    version: int = Field(default=1, sa_type=Integer, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = timestamp_column(default_factory=now, sa_column_kwargs={"server_default": func.now()})
    updated_at: datetime = timestamp_column(default_factory=now, sa_column_kwargs={"server_default": func.now()})

    def touch(self) -> None:
        """Increment the version, and set the time of the change."""
        self.version += 1
        self.updated_at = now()
