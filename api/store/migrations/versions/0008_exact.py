"""Payments of x402's scheme `exact`, and the batches in which they are settled.

Revision: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exact_batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("calldata", sa.LargeBinary(), nullable=False),
        sa.Column("cluster_id", sa.BigInteger()),
        sa.Column("root", sa.LargeBinary()),
        sa.Column("formed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("entries", sa.LargeBinary()),
        sa.CheckConstraint("kind in ('settle', 'ahead', 'plain')", name="ck_exact_batches_kind"),
        sa.CheckConstraint(
            "state in ('settling', 'waiting', 'allocating', 'closed')",
            name="ck_exact_batches_state",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_exact_batches"),
    )
    op.create_index(
        "ix_exact_batches_open",
        "exact_batches",
        ["id"],
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "exact_payments",
        sa.Column("payer", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("pay_to", sa.LargeBinary(), nullable=False),
        sa.Column("value_usd6", sa.BigInteger(), nullable=False),
        sa.Column("valid_after", sa.BigInteger(), nullable=False),
        sa.Column("valid_before", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("cluster_id", sa.BigInteger()),
        sa.Column("from_block", sa.BigInteger(), nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16)),
        sa.Column("used_usd6", sa.BigInteger()),
        sa.Column("receipt_hash", sa.LargeBinary()),
        sa.Column("batch_id", sa.BigInteger()),
        sa.Column("place", sa.BigInteger()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("tx_hash", sa.LargeBinary()),
        sa.CheckConstraint(
            "state in ('taken', 'due', 'settling', 'settled', 'fronted', 'failed')",
            name="ck_exact_payments_state",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["exact_batches.id"], name="fk_exact_payments_batch_id_exact_batches"
        ),
        sa.PrimaryKeyConstraint("payer", "nonce", name="pk_exact_payments"),
    )
    op.create_index("ix_exact_payments_batch_id", "exact_payments", ["batch_id"])
    op.create_index(
        "ix_exact_payments_due",
        "exact_payments",
        ["taken_at_ms"],
        postgresql_where=sa.text("state = 'due'"),
    )


def downgrade() -> None:
    op.drop_table("exact_payments")
    op.drop_table("exact_batches")
