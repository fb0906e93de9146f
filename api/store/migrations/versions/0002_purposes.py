"""Transactions for other things than reports; what waits is found without a search.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transactions", sa.Column("purpose", sa.String(length=96), nullable=True))
    op.execute(
        "update transactions set purpose ="
        " 'report/' || reporter_set_id || '/' || encode(root, 'hex')"
    )
    op.alter_column("transactions", "purpose", nullable=False)
    op.drop_index(op.f("ix_transactions_root"), table_name="transactions")
    op.drop_column("transactions", "root")
    op.drop_column("transactions", "reporter_set_id")
    op.create_index(op.f("ix_transactions_purpose"), "transactions", ["purpose"], unique=False)
    op.create_index(op.f("ix_transactions_nonce"), "transactions", ["nonce"], unique=False)
    op.create_index(
        "ix_transactions_pending",
        "transactions",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_counted_waiting",
        "counted",
        ["cluster_id", "epoch"],
        unique=False,
        postgresql_where=sa.text("not is_final"),
    )


def downgrade() -> None:
    op.drop_index("ix_counted_waiting", table_name="counted")
    op.drop_index("ix_transactions_pending", table_name="transactions")
    op.drop_index(op.f("ix_transactions_nonce"), table_name="transactions")
    op.drop_index(op.f("ix_transactions_purpose"), table_name="transactions")
    # What is not for a report is not known to the version before.
    op.execute("delete from transactions where purpose not like 'report/%'")
    op.add_column("transactions", sa.Column("reporter_set_id", sa.BigInteger(), nullable=True))
    op.add_column("transactions", sa.Column("root", sa.LargeBinary(), nullable=True))
    op.execute(
        "update transactions set reporter_set_id = split_part(purpose, '/', 2)::bigint,"
        " root = decode(split_part(purpose, '/', 3), 'hex')"
    )
    op.alter_column("transactions", "reporter_set_id", nullable=False)
    op.alter_column("transactions", "root", nullable=False)
    op.drop_column("transactions", "purpose")
    op.create_index(op.f("ix_transactions_root"), "transactions", ["root"], unique=False)
