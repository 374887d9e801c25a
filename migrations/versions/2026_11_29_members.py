"""members, and primary keys that start with the universe

Revision: 0003
Follows: 0002
Created: 2026-11-29 12:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "member",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'game_master', 'player', 'spectator')", name=op.f("ck_member_role")),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_member_universe_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["account.id"], name=op.f("fk_member_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("universe_id", "user_id", name=op.f("pk_member")),
        sa.UniqueConstraint("user_id", "universe_id", "role", name=op.f("uq_member_user_id_universe_id_role")),
    )
    op.create_index(
        "uq_member_owner", "member", ["universe_id"], unique=True, postgresql_where=sa.text("role = 'owner'")
    )
    op.execute("""
        INSERT INTO member (universe_id, user_id, role, created_at)
        SELECT id, owner_id, 'owner', created_at FROM universe
    """)
    op.add_column(
        "universe",
        sa.Column("owner_role", sa.String(length=20), sa.Computed("'owner'", persisted=True), nullable=True),
    )
    op.add_column("universe", sa.Column("active_map_id", sa.Uuid(), nullable=True))
    op.add_column(
        "universe", sa.Column("access_version", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.create_foreign_key(
        "fk_universe_owner_is_member",
        "universe",
        "member",
        ["owner_id", "id", "owner_role"],
        ["user_id", "universe_id", "role"],
        deferrable=True,
        initially="DEFERRED",
    )
    op.drop_index("ix_universe_owner_id_name", table_name="universe")
    op.drop_index("ix_universe_owner_id_updated_at", table_name="universe")

    op.drop_constraint("fk_map_chunk_universe_id_map_id", "map_chunk", type_="foreignkey")
    op.drop_constraint("pk_map", "map", type_="primary")
    op.create_primary_key("pk_map", "map", ["universe_id", "id"])
    op.drop_index("ix_map_universe_id_id", table_name="map")
    op.create_unique_constraint("uq_map_id", "map", ["id"], deferrable=True, initially="DEFERRED")
    op.create_foreign_key(
        "fk_map_chunk_universe_id_map_id",
        "map_chunk",
        "map",
        ["universe_id", "map_id"],
        ["universe_id", "id"],
        ondelete="CASCADE",
    )
    op.add_column(
        "map",
        sa.Column("visibility", sa.String(length=20), server_default=sa.text("'game_masters'"), nullable=False),
    )
    op.create_check_constraint("visibility", "map", "visibility IN ('game_masters', 'members')")
    op.add_column("map", sa.Column("players_frame", postgresql.JSONB(), nullable=True))
    op.add_column("map", sa.Column("players_legend", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("map", sa.Column("players_layers", postgresql.ARRAY(sa.Integer()), nullable=True))
    op.add_column(
        "map", sa.Column("etag_key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)
    )

    op.drop_constraint("pk_asset", "asset", type_="primary")
    op.create_primary_key("pk_asset", "asset", ["universe_id", "id"])
    op.drop_index("ix_asset_universe_id_id", table_name="asset")
    op.create_unique_constraint("uq_asset_id", "asset", ["id"])

    op.add_column("event", sa.Column("shared", postgresql.JSONB(), nullable=True))
    op.add_column("event", sa.Column("audience", postgresql.ARRAY(sa.Uuid()), nullable=True))
    op.create_table(
        "epoch",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_epoch_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epoch")),
    )
    op.execute("INSERT INTO epoch (id, epoch) VALUES (1, gen_random_uuid())")


def downgrade() -> None:
    op.drop_table("epoch")
    op.drop_column("event", "audience")
    op.drop_column("event", "shared")

    op.drop_constraint("uq_asset_id", "asset", type_="unique")
    op.create_index("ix_asset_universe_id_id", "asset", ["universe_id", "id"], unique=False)
    op.drop_constraint("pk_asset", "asset", type_="primary")
    op.create_primary_key("pk_asset", "asset", ["id"])

    op.drop_column("map", "etag_key")
    op.drop_column("map", "players_layers")
    op.drop_column("map", "players_legend")
    op.drop_column("map", "players_frame")
    op.drop_constraint("visibility", "map", type_="check")
    op.drop_column("map", "visibility")
    op.drop_constraint("fk_map_chunk_universe_id_map_id", "map_chunk", type_="foreignkey")
    op.drop_constraint("uq_map_id", "map", type_="unique")
    op.drop_constraint("pk_map", "map", type_="primary")
    op.create_primary_key("pk_map", "map", ["id"])
    op.create_index("ix_map_universe_id_id", "map", ["universe_id", "id"], unique=True)
    op.create_foreign_key(
        "fk_map_chunk_universe_id_map_id",
        "map_chunk",
        "map",
        ["universe_id", "map_id"],
        ["universe_id", "id"],
        ondelete="CASCADE",
        onupdate="CASCADE",
    )

    op.create_index("ix_universe_owner_id_updated_at", "universe", ["owner_id", "updated_at", "id"], unique=False)
    op.create_index("ix_universe_owner_id_name", "universe", ["owner_id", "name", "id"], unique=False)
    op.drop_constraint("fk_universe_owner_is_member", "universe", type_="foreignkey")
    op.drop_column("universe", "access_version")
    op.drop_column("universe", "active_map_id")
    op.drop_column("universe", "owner_role")
    op.drop_table("member")
