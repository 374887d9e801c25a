"""events by time

Revision: 0002
Follows: 0001
Made: 2026-11-21 04:19:30
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_event_created_at", "event", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_event_created_at", table_name="event")
