"""What is given back of payments of x402 that somebody else has brought to the stablecoin.

Revision: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_exact_payments_fronted",
        "exact_payments",
        ["taken_at_ms"],
        postgresql_where=sa.text("state = 'fronted'"),
    )
    op.create_table(
        "exact_refunds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("payer", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("receipt_hash", sa.LargeBinary(), nullable=False),
        sa.Column("amount_usd6", sa.BigInteger(), nullable=False),
        sa.Column("calldata", sa.LargeBinary(), nullable=False),
        sa.Column("from_block", sa.BigInteger(), nullable=False),
        sa.Column("formed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary()),
        sa.ForeignKeyConstraint(
            ["payer", "nonce"],
            ["exact_payments.payer", "exact_payments.nonce"],
            name="fk_exact_refunds_payer_nonce_exact_payments",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_exact_refunds"),
        sa.UniqueConstraint("payer", "nonce", name="uq_exact_refunds_payer_nonce"),
    )
    op.create_index("ix_exact_refunds_formed_at_ms", "exact_refunds", ["formed_at_ms"])
    op.create_index(
        "ix_exact_refunds_open",
        "exact_refunds",
        ["id"],
        postgresql_where=sa.text("tx_hash is null"),
    )


def downgrade() -> None:
    op.drop_table("exact_refunds")
    op.drop_index("ix_exact_payments_fronted", "exact_payments")
