"""The request and response models of members and invitations, and the table of invitations."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field as Constraint
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint, Uuid
from sqlmodel import Field, SQLModel

from game.core.ids import uuid7
from game.core.models import ApiModel, Timestamp, example, now, timestamp_column, unset
from game.events.payloads import Payload, describes, optional
from game.universes.models import MemberRole

MAX_DAYS = 90
_DAY = 86_400

GivenRole = Literal["game_master", "player", "spectator"]
"""A role that can be given: there is one owner, and ownership is transferred."""


class Invitation(SQLModel, table=True):
    """A link with which people become members, until it expires, is used up or is withdrawn (deleted)."""

    __tablename__ = "invitation"
    __table_args__ = (
        PrimaryKeyConstraint("universe_id", "id"),
        # Looks up the universe of a code.
        UniqueConstraint("code"),
        ForeignKeyConstraint(["universe_id"], ["universe.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["created_by"], ["account.id"], ondelete="CASCADE"),
        CheckConstraint("role IN ('game_master', 'player', 'spectator')", name="role"),
        CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="uses"),
    )

    universe_id: UUID
    id: UUID = Field(default_factory=uuid7)
    code: str = Field(max_length=40)
    role: str = Field(max_length=20)
    max_uses: int | None = None
    uses: int = 0
    expires_at: datetime = timestamp_column()
    created_by: UUID = Field(sa_type=Uuid)
    created_at: datetime = timestamp_column(default_factory=now)


class MemberRead(ApiModel):
    """A member of a universe."""

    user_id: UUID
    display_name: str
    role: MemberRole
    created_at: Timestamp = Field(description="When they became a member.")


class MemberPage(ApiModel):
    """A page of the members of a universe, in the order in which they joined."""

    items: list[MemberRead]
    next_cursor: str | None


class MemberPatch(ApiModel):
    """Changes the role of a member."""

    model_config = example({"role": "player"})

    role: GivenRole = unset()


class InvitationWrite(ApiModel):
    """Creates an invitation."""

    model_config = example({"role": "player", "max_uses": 4, "expires_in": 604800})

    role: GivenRole
    max_uses: Annotated[int, Constraint(ge=1, le=10_000)] | None = Field(
        default=None, description="The number of people who may use it; null for no limit."
    )
    expires_in: Annotated[int, Constraint(ge=60, le=MAX_DAYS * _DAY)] = Field(
        default=7 * _DAY, description="In seconds."
    )


class InvitationRead(ApiModel):
    """An invitation, for those who may invite."""

    id: UUID
    code: str
    url: str = Field(description="The link to send: a page where people join.")
    role: GivenRole
    max_uses: int | None
    uses: int
    expires_at: Timestamp
    created_at: Timestamp


class InvitationList(ApiModel):
    """The open invitations of a universe, newest first."""

    items: list[InvitationRead]


class InvitationPreview(ApiModel):
    """What an invitation is for."""

    universe_name: str
    role: GivenRole
    invited_by: str = Field(description="The display name of the member who created the invitation.")
    expires_at: Timestamp


class Accepted(ApiModel):
    """The universe that the caller has joined, and their role."""

    universe_id: UUID
    role: MemberRole


@describes("member.joined")
class MemberJoined(Payload):
    """A user became a member."""

    user_id: UUID = optional()
    display_name: str = optional()
    role: MemberRole = optional()
    invitation_id: UUID = optional("The invitation that was used. Absent for players.")


@describes("member.updated")
class MemberUpdated(Payload):
    """The role of a member changed."""

    user_id: UUID = optional()
    role: MemberRole = optional()


@describes("member.removed")
class MemberRemoved(Payload):
    """A member was removed, or left."""

    user_id: UUID = optional()


@describes("invitation.created", "invitation.deleted")
class InvitationChanged(Payload):
    """An invitation was created or withdrawn. Not sent to players."""

    role: GivenRole = optional()
    max_uses: int | None = optional("Null for no limit.")
    expires_at: Timestamp = optional()
