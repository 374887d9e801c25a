"""pictures and quotas

Revision: 0006
Follows: 0005
Created: 2026-11-29 14:10:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "picture",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="processing", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('processing', 'ready', 'failed')", name=op.f("ck_picture_state")),
        sa.ForeignKeyConstraint(
            ["universe_id"], ["universe.id"], name=op.f("fk_picture_universe_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("universe_id", "sha256", name=op.f("pk_picture")),
    )
    op.create_index(
        "ix_picture_processing", "picture", ["created_at"], postgresql_where=sa.text("state = 'processing'")
    )
    op.create_table(
        "picture_file",
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("variant", sa.String(length=20), nullable=False),
        sa.Column("media_type", sa.String(length=50), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "variant IN ('original', 'background', 'thumbnail')", name=op.f("ck_picture_file_variant")
        ),
        sa.ForeignKeyConstraint(
            ["universe_id", "sha256"],
            ["picture.universe_id", "picture.sha256"],
            name=op.f("fk_picture_file_universe_id_sha256"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("universe_id", "sha256", "variant", name=op.f("pk_picture_file")),
    )
    op.add_column("asset", sa.Column("sha256", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE asset SET sha256 = sha256(data)")
    op.execute("""
        INSERT INTO picture (universe_id, sha256, bytes, created_at)
        SELECT DISTINCT ON (universe_id, sha256) universe_id, sha256, length(data), created_at
        FROM asset ORDER BY universe_id, sha256, created_at
    """)
    op.execute("""
        INSERT INTO picture_file (universe_id, sha256, variant, media_type, data)
        SELECT DISTINCT ON (universe_id, sha256) universe_id, sha256, 'original', media_type, data
        FROM asset ORDER BY universe_id, sha256, created_at
    """)
    op.alter_column("asset", "sha256", nullable=False)
    op.create_index("ix_asset_universe_id_sha256", "asset", ["universe_id", "sha256"])
    op.create_foreign_key(
        "fk_asset_universe_id_sha256",
        "asset",
        "picture",
        ["universe_id", "sha256"],
        ["universe_id", "sha256"],
        ondelete="CASCADE",
    )
    op.drop_column("asset", "data")

    for name in ("asset_bytes", "map_bytes", "event_bytes"):
        op.add_column("universe", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column(
        "universe",
        sa.Column("has_exact_map_bytes", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    )
    op.add_column("universe", sa.Column("is_full", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("""
        UPDATE universe u SET
            -- The maps are measured by the first sweep.
            has_exact_map_bytes = false,
            asset_bytes = coalesce((SELECT sum(p.bytes) FROM picture p WHERE p.universe_id = u.id), 0),
            event_bytes = coalesce((
                SELECT sum(200 + pg_column_size(e.payload) + coalesce(pg_column_size(e.before), 0))
                FROM event e WHERE e.universe_id = u.id
            ), 0)
    """)


def downgrade() -> None:
    for name in ("is_full", "has_exact_map_bytes", "event_bytes", "map_bytes", "asset_bytes"):
        op.drop_column("universe", name)

    op.add_column("asset", sa.Column("data", sa.LargeBinary(), nullable=True))
    op.execute("""
        UPDATE asset a SET data = f.data FROM picture_file f
        WHERE f.universe_id = a.universe_id AND f.sha256 = a.sha256 AND f.variant = 'original'
    """)
    op.alter_column("asset", "data", nullable=False)
    op.drop_constraint("fk_asset_universe_id_sha256", "asset", type_="foreignkey")
    op.drop_index("ix_asset_universe_id_sha256", table_name="asset")
    op.drop_column("asset", "sha256")
    op.drop_table("picture_file")
    op.drop_table("picture")
