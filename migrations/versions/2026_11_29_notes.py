"""notes

Revision: 0009
Follows: 0008
Created: 2026-11-29 15:55:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WORDS = (
    "to_tsvector('simple', title || ' ' || body) || array_to_tsvector(ARRAY['universe:' || universe_id::text])"
)


def upgrade() -> None:
    op.create_table(
        "note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("grants", postgresql.JSONB(), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=True),
        sa.Column("x", sa.Float(), nullable=True),
        sa.Column("y", sa.Float(), nullable=True),
        sa.Column("asset_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("etag_key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), sa.Computed(_WORDS, persisted=True), nullable=True),
        sa.CheckConstraint("title <> ''", name=op.f("ck_note_title_not_empty")),
        sa.CheckConstraint("version > 0", name=op.f("ck_note_version_positive")),
        sa.CheckConstraint("jsonb_typeof(grants) = 'object'", name=op.f("ck_note_grants_object")),
        sa.CheckConstraint(
            "(map_id IS NULL) = (x IS NULL) AND (map_id IS NULL) = (y IS NULL)",
            name=op.f("ck_note_place_is_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_note_universe_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe_id", "id", name=op.f("pk_note")),
        sa.UniqueConstraint("id", name=op.f("uq_note_id")),
    )
    op.create_index("ix_note_universe_id_title", "note", ["universe_id", "title", "id"])
    op.create_index("ix_note_universe_id_map_id", "note", ["universe_id", "map_id"])
    op.create_index("ix_note_asset_ids", "note", ["asset_ids"], postgresql_using="gin")
    op.create_index("ix_note_search", "note", ["search"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_table("note")
