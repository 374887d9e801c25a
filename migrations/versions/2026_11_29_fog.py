"""memories of maps with fog

Revision: 0010
Follows: 0009
Created: 2026-11-29 16:10:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("map", sa.Column("scene_key", sa.Uuid(), nullable=True))
    op.create_table(
        "map_memory",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=False),
        sa.Column("viewer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "member_id",
            sa.Uuid(),
            sa.Computed("nullif(viewer_id, '00000000-0000-0000-0000-000000000000'::uuid)", persisted=True),
            nullable=True,
        ),
        sa.Column("whole", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["universe_id", "map_id"],
            ["map.universe_id", "map.id"],
            name=op.f("fk_map_memory_universe_id_map_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["universe_id", "member_id"],
            ["member.universe_id", "member.user_id"],
            name=op.f("fk_map_memory_universe_id_member_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("universe_id", "map_id", "viewer_id", name=op.f("pk_map_memory")),
    )
    op.create_index("ix_map_memory_universe_id_member_id", "map_memory", ["universe_id", "member_id"])
    op.create_table(
        "map_memory_chunk",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=False),
        sa.Column("viewer_id", sa.Uuid(), nullable=False),
        sa.Column("x", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("y", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("explored", sa.LargeBinary(), nullable=False),
        sa.Column("differs", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint("octet_length(explored) IN (0, 512)", name=op.f("ck_map_memory_chunk_explored")),
        sa.ForeignKeyConstraint(
            ["universe_id", "map_id", "viewer_id"],
            ["map_memory.universe_id", "map_memory.map_id", "map_memory.viewer_id"],
            name=op.f("fk_map_memory_chunk_universe_id_map_id_viewer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("universe_id", "map_id", "viewer_id", "x", "y", name=op.f("pk_map_memory_chunk")),
    )


def downgrade() -> None:
    op.drop_table("map_memory_chunk")
    op.drop_table("map_memory")
    op.drop_column("map", "scene_key")
