"""The first tables.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("cluster_id", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("through_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("sample_count", sa.Integer(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("position", name=op.f("uq_batches_position")),
    )
    op.create_index(
        op.f("ix_batches_cluster_id_agent_sequence"),
        "batches",
        ["cluster_id", "agent", "sequence"],
        unique=False,
    )
    op.create_index(
        op.f("ix_batches_cluster_id_last_at_ms"),
        "batches",
        ["cluster_id", "last_at_ms"],
        unique=False,
    )
    op.create_index(
        op.f("ix_batches_cluster_id_through_ms"),
        "batches",
        ["cluster_id", "through_ms"],
        unique=False,
    )
    op.create_table(
        "cursor",
        sa.Column("singleton", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("singleton", name=op.f("ck_cursor_singleton")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_cursor")),
    )
    op.create_table(
        "gpu_sets",
        sa.Column("cluster_id", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cluster_id", "root", name=op.f("pk_gpu_sets")),
    )
    op.create_table(
        "identity",
        sa.Column("singleton", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("reporter", sa.LargeBinary(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("oracle", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("singleton", name=op.f("ck_identity_singleton")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_identity")),
    )
    op.create_table(
        "proposals",
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("root", name=op.f("pk_proposals")),
    )
    op.create_index(op.f("ix_proposals_epoch"), "proposals", ["epoch"], unique=False)
    op.create_table(
        "reports",
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("reporter_set_id", sa.BigInteger(), nullable=False),
        sa.Column("transmitter", sa.LargeBinary(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=True),
        sa.Column("signatures", sa.LargeBinary(), nullable=True),
        sa.Column("final_at", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("root", name=op.f("pk_reports")),
    )
    op.create_index(op.f("ix_reports_block_number"), "reports", ["block_number"], unique=False)
    op.create_index(op.f("ix_reports_epoch"), "reports", ["epoch"], unique=False)
    op.create_table(
        "settlements",
        sa.Column("reporter_set_id", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("settled_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "outcome in ('on_chain', 'superseded')", name=op.f("ck_settlements_outcome")
        ),
        sa.PrimaryKeyConstraint("reporter_set_id", "root", name=op.f("pk_settlements")),
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("reporter_set_id", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("max_fee", sa.BigInteger(), nullable=False),
        sa.Column("max_priority_fee", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'mined', 'reverted', 'displaced')",
            name=op.f("ck_transactions_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("hash", name=op.f("uq_transactions_hash")),
    )
    op.create_index(op.f("ix_transactions_root"), "transactions", ["root"], unique=False)
    op.create_table(
        "agreed",
        sa.Column("reporter_set_id", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.Column("signatures", sa.LargeBinary(), nullable=False),
        sa.Column("agreed_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["root"], ["proposals.root"], name=op.f("fk_agreed_root_proposals")
        ),
        sa.PrimaryKeyConstraint("reporter_set_id", "root", name=op.f("pk_agreed")),
    )
    op.create_table(
        "counted",
        sa.Column("cluster_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["root"], ["reports.root"], name=op.f("fk_counted_root_reports"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cluster_id", "epoch", name=op.f("pk_counted")),
    )
    op.create_table(
        "signatures",
        sa.Column("reporter_set_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["root"], ["proposals.root"], name=op.f("fk_signatures_root_proposals")
        ),
        sa.PrimaryKeyConstraint(
            "reporter_set_id", "epoch", "round", "root", name=op.f("pk_signatures")
        ),
    )


def downgrade() -> None:
    for table in (
        "counted",
        "signatures",
        "agreed",
        "transactions",
        "settlements",
        "reports",
        "proposals",
        "identity",
        "gpu_sets",
        "cursor",
        "batches",
    ):
        op.drop_table(table)
