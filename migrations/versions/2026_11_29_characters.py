"""characters

Revision: 0007
Follows: 0006
Created: 2026-11-29 15:40:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "character",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("grants", postgresql.JSONB(), nullable=False),
        sa.Column("sheet", postgresql.JSONB(), nullable=False),
        sa.Column("gm", postgresql.JSONB(), nullable=True),
        sa.Column("etag_key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_character_name_not_empty")),
        sa.CheckConstraint("version > 0", name=op.f("ck_character_version_positive")),
        sa.CheckConstraint("kind IN ('player', 'nonplayer')", name=op.f("ck_character_kind")),
        sa.CheckConstraint("jsonb_typeof(sheet) = 'object'", name=op.f("ck_character_sheet_object")),
        sa.CheckConstraint("jsonb_typeof(grants) = 'object'", name=op.f("ck_character_grants_object")),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_character_universe_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe_id", "id", name=op.f("pk_character")),
        sa.UniqueConstraint("id", name=op.f("uq_character_id")),
    )
    op.create_index("ix_character_universe_id_name", "character", ["universe_id", "name", "id"])
    op.create_index("ix_character_universe_id_asset_id", "character", ["universe_id", "asset_id"])


def downgrade() -> None:
    op.drop_table("character")
