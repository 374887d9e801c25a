"""messages

Revision: 0013
Follows: 0012
Created: 2026-11-29 16:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.String(length=4000), nullable=False),
        sa.Column("to", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("character_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_message_universe_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe_id", "id", name=op.f("pk_message")),
    )
    op.create_index(
        "ix_message_to_all", "message", ["universe_id", "id"], postgresql_where=sa.text('"to" IS NULL')
    )
    op.create_table(
        "whisper_reader",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["universe_id", "message_id"],
            ["message.universe_id", "message.id"],
            name=op.f("fk_whisper_reader_universe_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("universe_id", "user_id", "message_id", name=op.f("pk_whisper_reader")),
    )
    op.create_index("ix_whisper_reader_message", "whisper_reader", ["universe_id", "message_id"])


def downgrade() -> None:
    op.drop_table("whisper_reader")
    op.drop_table("message")
