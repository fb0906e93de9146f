"""Reports carry the round of the agreement that they come from.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A database belongs to one oracle, and the one before had no rounds: there are no rows to keep.
    op.add_column("agreed", sa.Column("round", sa.BigInteger(), server_default="0", nullable=False))
    op.alter_column("agreed", "round", server_default=None)
    op.add_column("reports", sa.Column("round", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("reports", "round")
    op.drop_column("agreed", "round")
