"""Whose nonce a transaction has; promises that are not signed yet.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transactions", sa.Column("sender", sa.LargeBinary(), nullable=True))
    # Until now the reporter itself sent everything.
    op.execute("update transactions set sender = (select reporter from identity)")
    op.alter_column("transactions", "sender", nullable=False)
    op.drop_index(op.f("ix_transactions_nonce"), table_name="transactions")
    op.create_index(op.f("ix_transactions_sender_nonce"), "transactions", ["sender", "nonce"])
    op.alter_column("signatures", "signature", nullable=True)


def downgrade() -> None:
    op.execute("delete from signatures where signature is null")
    op.alter_column("signatures", "signature", nullable=False)
    op.drop_index(op.f("ix_transactions_sender_nonce"), table_name="transactions")
    op.create_index(op.f("ix_transactions_nonce"), "transactions", ["nonce"])
    op.drop_column("transactions", "sender")
