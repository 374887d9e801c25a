"""Cheaper updates of maps

Revision: 0016
Follows: 0015
Created: 2026-11-30 05:45:00
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_INDEX = "ix_map_universe_id_updated_at"


def upgrade() -> None:
    # Each edit changes `updated_at`, and so had to update every index of the table.
    op.drop_index(_INDEX, table_name="map")


def downgrade() -> None:
    op.create_index(_INDEX, "map", ["universe_id", "updated_at", "id"], unique=False)
