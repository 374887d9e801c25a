"""encounters

Revision: 0011
Follows: 0010
Created: 2026-11-29 16:15:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "encounter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=20), server_default="prepared", nullable=False),
        sa.Column("round", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("turn", sa.Uuid(), nullable=True),
        sa.Column("shown_round", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("shown_turn", sa.Uuid(), nullable=True),
        sa.Column("combatants", postgresql.JSONB(), nullable=False),
        sa.Column("gm", postgresql.JSONB(), nullable=True),
        sa.Column("etag_key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_encounter_name_not_empty")),
        sa.CheckConstraint("version > 0", name=op.f("ck_encounter_version_positive")),
        sa.CheckConstraint("state IN ('prepared', 'running', 'ended')", name=op.f("ck_encounter_state")),
        sa.CheckConstraint("jsonb_typeof(combatants) = 'array'", name=op.f("ck_encounter_combatants_array")),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_encounter_universe_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe_id", "id", name=op.f("pk_encounter")),
        sa.UniqueConstraint("id", name=op.f("uq_encounter_id")),
    )
    op.create_index("ix_encounter_universe_id_name", "encounter", ["universe_id", "name", "id"])
    op.create_index("ix_encounter_universe_id_map_id", "encounter", ["universe_id", "map_id"])
    op.create_table(
        "encounter_turn",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("encounter_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Uuid(), nullable=True),
        sa.Column("shown_round", sa.Integer(), nullable=False),
        sa.Column("shown_turn", sa.Uuid(), nullable=True),
        sa.Column("effects", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["universe_id", "encounter_id"],
            ["encounter.universe_id", "encounter.id"],
            name=op.f("fk_encounter_turn_universe_id_encounter_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("universe_id", "encounter_id", "number", name=op.f("pk_encounter_turn")),
    )


def downgrade() -> None:
    op.drop_table("encounter_turn")
    op.drop_table("encounter")
