"""A gateway's tables; a database belongs to an account and a contract, whatever the service.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("identity", "reporter", new_column_name="account")
    op.alter_column("identity", "oracle", new_column_name="contract")
    op.create_table(
        "channels",
        sa.Column("payer", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("promised_usd6", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary()),
        sa.Column("spent_usd6", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("payer", "key", name="pk_channels"),
    )
    for table, amount in (("charges", "charged_usd6"), ("collected", "collected_usd6")):
        op.create_table(
            table,
            sa.Column("payer", sa.LargeBinary(), nullable=False),
            sa.Column("key", sa.LargeBinary(), nullable=False),
            sa.Column("cluster_id", sa.BigInteger(), nullable=False),
            sa.Column(amount, sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("payer", "key", "cluster_id", name=f"pk_{table}"),
        )
    op.create_table(
        "collections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("calldata", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("formed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("collected_usd6", sa.BigInteger()),
        sa.Column("tx_hash", sa.LargeBinary()),
        sa.Column("block_number", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_collections"),
    )
    op.create_index(
        "uq_collections_open",
        "collections",
        [sa.text("(collected_usd6 is null)")],
        unique=True,
        postgresql_where=sa.text("collected_usd6 is null"),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("payer", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("cluster_id", sa.BigInteger(), nullable=False),
        sa.Column("charge_usd6", sa.BigInteger(), nullable=False),
        sa.Column("served_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("collection_id", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name="fk_receipts_collection_id_collections"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
        sa.UniqueConstraint("position", name="uq_receipts_position"),
    )
    op.create_index("ix_receipts_open", "receipts", ["id"], postgresql_where=sa.text("is_open"))
    op.create_index("ix_receipts_collection_id", "receipts", ["collection_id"])
    op.create_index(
        "ix_receipts_waiting",
        "receipts",
        ["position"],
        postgresql_where=sa.text("collection_id is null"),
    )


def downgrade() -> None:
    for table in ("receipts", "collections", "collected", "charges", "channels"):
        op.drop_table(table)
    op.alter_column("identity", "contract", new_column_name="oracle")
    op.alter_column("identity", "account", new_column_name="reporter")
