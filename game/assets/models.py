"""Assets: pictures that belong to a universe. They never change; a different picture is a new asset."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.models import MAX_NAME, ApiModel, Timestamp, now, timestamp_column
from game.events.payloads import Named, describes, optional


class State(StrEnum):
    """Whether the smaller versions of a picture exist."""

    processing = "processing"
    ready = "ready"
    failed = "failed"


class Variant(StrEnum):
    """A picture as it was uploaded, or a smaller version of it."""

    original = "original"
    background = "background"
    thumbnail = "thumbnail"


class Asset(SQLModel, table=True):
    """A picture of a universe under a name. Several assets may show one picture, which is stored once."""

    __tablename__ = "asset"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id.
        UniqueConstraint("id"),
        ForeignKeyConstraint(
            ["universe_id", "sha256"], ["picture.universe_id", "picture.sha256"], ondelete="CASCADE"
        ),
        Index("ix_asset_universe_id_sha256", "universe_id", "sha256"),
        CheckConstraint("width > 0 AND height > 0", name="size"),
    )

    id: UUID = Field(default_factory=uuid7)
    universe_id: UUID = Field(foreign_key="universe.id", ondelete="CASCADE")
    name: str = Field(max_length=MAX_NAME)
    media_type: str = Field(max_length=50)
    width: int
    height: int
    sha256: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = timestamp_column(default_factory=now, sa_column_kwargs={"server_default": func.now()})


class StoredPicture(SQLModel, table=True):
    """A picture of a universe, identified by the digest of its file.

    A worker claims it for a limited time to make its smaller versions; if the worker crashes, another one claims
    it.
    """

    __tablename__ = "picture"
    __table_args__ = (
        Index("ix_picture_processing", "created_at", postgresql_where=text("state = 'processing'")),
        CheckConstraint("state IN ('processing', 'ready', 'failed')", name="state"),
    )

    universe_id: UUID = Field(primary_key=True, foreign_key="universe.id", ondelete="CASCADE")
    sha256: bytes = Field(primary_key=True, sa_type=LargeBinary)
    bytes: int = Field(description="Size of the uploaded file, in bytes.")
    state: str = Field(default="processing", max_length=20, sa_column_kwargs={"server_default": "processing"})
    attempts: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": text("0")})
    claimed_until: datetime | None = timestamp_column(default=None, nullable=True)
    created_at: datetime = timestamp_column(default_factory=now, sa_column_kwargs={"server_default": func.now()})


class PictureFile(SQLModel, table=True):
    """The file of a picture, or of a smaller version of it."""

    __tablename__ = "picture_file"
    __table_args__ = (
        ForeignKeyConstraint(
            ["universe_id", "sha256"], ["picture.universe_id", "picture.sha256"], ondelete="CASCADE"
        ),
        CheckConstraint("variant IN ('original', 'background', 'thumbnail')", name="variant"),
    )

    universe_id: UUID = Field(primary_key=True)
    sha256: bytes = Field(primary_key=True, sa_type=LargeBinary)
    variant: str = Field(primary_key=True, max_length=20)
    media_type: str = Field(max_length=50)
    data: bytes = Field(sa_type=LargeBinary)


class AssetRead(ApiModel):
    """A picture of a universe; its file is at `url`."""

    id: UUID
    universe_id: UUID
    name: str
    media_type: str = Field(description="image/png, image/jpeg or image/webp.")
    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    bytes: int = Field(description="Size of the uploaded file, in bytes.")
    state: Annotated[
        State,
        Field(
            description="`processing`: its smaller versions (`?size=`) are being made; `ready`: they exist; "
            "`failed`: the picture cannot be read, or the quota has no room for them."
        ),
    ]
    url: str
    created_at: Timestamp


class StoredAsset(NamedTuple):
    """An asset and its picture."""

    asset: Asset
    picture: StoredPicture

    def read(self) -> AssetRead:
        """The asset in the API."""
        asset, picture = self
        return AssetRead(
            id=asset.id,
            universe_id=asset.universe_id,
            name=asset.name,
            media_type=asset.media_type,
            width=asset.width,
            height=asset.height,
            bytes=picture.bytes,
            state=State(picture.state),
            url=f"/assets/{asset.id}",
            created_at=asset.created_at,
        )


class AssetPage(ApiModel):
    """A page of the pictures of a universe."""

    items: list[AssetRead]
    next_cursor: str | None


@describes("asset.created", "asset.deleted")
class AssetChanged(Named):
    """A picture was uploaded or deleted."""

    media_type: str = optional()
