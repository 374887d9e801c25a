"""Assets: pictures that belong to a universe. They never change; another picture is another asset."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, PrimaryKeyConstraint, UniqueConstraint, func
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.models import MAX_NAME, Shape, Timestamp, instant, now


class Asset(SQLModel, table=True):
    """A picture, with its bytes as they were sent."""

    __tablename__ = "asset"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of an id.
        UniqueConstraint("id"),
        CheckConstraint("width > 0 AND height > 0", name="size"),
    )

    id: UUID = Field(default_factory=uuid7)
    universe_id: UUID = Field(foreign_key="universe.id", ondelete="CASCADE")
    name: str = Field(max_length=MAX_NAME)
    media_type: str = Field(max_length=50)
    width: int
    height: int
    data: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = instant(default_factory=now, sa_column_kwargs={"server_default": func.now()})


class AssetRead(Shape):
    """A picture of a universe; its bytes are at `url`."""

    id: UUID
    universe_id: UUID
    name: str
    media_type: str = Field(description="image/png, image/jpeg or image/webp.")
    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    url: str
    created_at: Timestamp

    @classmethod
    def of(cls, asset: Asset) -> "AssetRead":
        """What the API says of an asset."""
        fields = {name: getattr(asset, name) for name in cls.model_fields if name != "url"}
        return cls(**fields, url=f"/assets/{asset.id}")


class AssetPage(Shape):
    """Some of the pictures of a universe."""

    items: list[AssetRead]
    next_cursor: str | None
