"""roles of answers

Revision: 0014
Follows: 0013
Created: 2026-11-29 20:15:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("idempotency_key", sa.Column("role", sa.String(length=20), nullable=True))


def downgrade() -> None:
    op.drop_column("idempotency_key", "role")
