"""tokens, and visibility settings of maps

Revision: 0008
Follows: 0007
Created: 2026-11-29 16:00:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_HOW_MAPS_ARE_SEEN = (
    ("fog", "off", ("off", "explored", "sight")),
    ("fog_sharing", "party", ("party", "each")),
    ("lighting", "bright", ("bright", "dim", "dark")),
)


def upgrade() -> None:
    for name, default, options in _HOW_MAPS_ARE_SEEN:
        op.add_column("map", sa.Column(name, sa.String(length=20), server_default=default, nullable=False))
        listed = ", ".join(f"'{option}'" for option in options)
        op.create_check_constraint(op.f(f"ck_map_{name}"), "map", f"{name} IN ({listed})")
    op.create_table(
        "token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("universe_id", sa.Uuid(), nullable=False),
        sa.Column("map_id", sa.Uuid(), nullable=False),
        sa.Column("character_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("x", sa.Double(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("size", sa.Double(), nullable=False),
        sa.Column("rotation", sa.Double(), nullable=False),
        sa.Column("elevation", sa.Double(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("color", sa.String(length=9), nullable=True),
        sa.Column("disposition", sa.String(length=20), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("sight", postgresql.JSONB(), nullable=True),
        sa.Column("light", postgresql.JSONB(), nullable=True),
        sa.Column("conditions", postgresql.JSONB(), nullable=False),
        sa.Column("bars", postgresql.JSONB(), nullable=False),
        sa.Column("grants", postgresql.JSONB(), nullable=False),
        sa.Column("properties", postgresql.JSONB(), nullable=False),
        sa.Column("gm", postgresql.JSONB(), nullable=True),
        sa.Column("etag_key", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_token_name_not_empty")),
        sa.CheckConstraint("version > 0", name=op.f("ck_token_version_positive")),
        sa.CheckConstraint("x BETWEEN 0 AND 4096 AND y BETWEEN 0 AND 4096", name=op.f("ck_token_place")),
        sa.CheckConstraint("size IN (0.5, 1, 2, 3, 4)", name=op.f("ck_token_size")),
        sa.CheckConstraint("rotation BETWEEN -360 AND 360", name=op.f("ck_token_rotation")),
        sa.CheckConstraint("elevation BETWEEN -100000 AND 100000", name=op.f("ck_token_elevation")),
        sa.CheckConstraint("disposition IN ('friendly', 'neutral', 'hostile')", name=op.f("ck_token_disposition")),
        sa.CheckConstraint("jsonb_typeof(sight) = 'object'", name=op.f("ck_token_sight_object")),
        sa.CheckConstraint("jsonb_typeof(light) = 'object'", name=op.f("ck_token_light_object")),
        sa.CheckConstraint("jsonb_typeof(conditions) = 'array'", name=op.f("ck_token_conditions_array")),
        sa.CheckConstraint("jsonb_typeof(bars) = 'array'", name=op.f("ck_token_bars_array")),
        sa.CheckConstraint("jsonb_typeof(grants) = 'object'", name=op.f("ck_token_grants_object")),
        sa.CheckConstraint("jsonb_typeof(properties) = 'object'", name=op.f("ck_token_properties_object")),
        sa.ForeignKeyConstraint(
            ["universe_id", "map_id"],
            ["map.universe_id", "map.id"],
            name=op.f("fk_token_universe_id_map_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("universe_id", "id", name=op.f("pk_token")),
        sa.UniqueConstraint("id", deferrable=True, initially="DEFERRED", name=op.f("uq_token_id")),
    )
    op.create_index("ix_token_universe_id_map_id", "token", ["universe_id", "map_id", "id"])
    op.create_index("ix_token_universe_id_character_id", "token", ["universe_id", "character_id"])
    op.create_index("ix_token_universe_id_asset_id", "token", ["universe_id", "asset_id"])


def downgrade() -> None:
    op.drop_table("token")
    for name, _, _ in _HOW_MAPS_ARE_SEEN:
        op.drop_constraint(op.f(f"ck_map_{name}"), "map")
        op.drop_column("map", name)
