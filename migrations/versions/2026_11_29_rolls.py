"""rolls

Revision: 0012
Follows: 0011
Created: 2026-11-29 16:20:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roll",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("expression", sa.String(length=200), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("character_id", sa.Uuid(), nullable=True),
        sa.Column("nonce", sa.String(length=100), nullable=False),
        sa.Column("is_hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "visibility IN ('everyone', 'game_masters', 'blind', 'me')", name=op.f("ck_roll_visibility")
        ),
        sa.CheckConstraint("(key IS NULL) = (number IS NULL)", name=op.f("ck_roll_proof")),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_roll_universe_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe_id", "id", name=op.f("pk_roll")),
        sa.UniqueConstraint("id", name=op.f("uq_roll_id")),
    )
    op.create_index(
        "ix_roll_everyone", "roll", ["universe_id", "id"], postgresql_where=sa.text("visibility = 'everyone'")
    )
    op.create_index(
        "ix_roll_not_private", "roll", ["universe_id", "id"], postgresql_where=sa.text("visibility <> 'me'")
    )
    op.create_index("ix_roll_actor", "roll", ["universe_id", "actor_id", "id"])
    op.create_table(
        "dice_series",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_dice_series_universe_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe_id", "owner_id", name=op.f("pk_dice_series")),
    )


def downgrade() -> None:
    op.drop_table("dice_series")
    op.drop_table("roll")
