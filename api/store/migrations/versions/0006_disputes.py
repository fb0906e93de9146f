"""Figures can be held by a dispute.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A database belongs to one oracle, and the one before held nothing.
    op.add_column(
        "counted", sa.Column("is_held", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.alter_column("counted", "is_held", server_default=None)


def downgrade() -> None:
    op.drop_column("counted", "is_held")
