"""Which registered model was used: a charge is of a cluster and a model, of none what was before.

Revision: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("charges", "collected", "receipts", "exact_batches", "exact_payments")
_BY_MODEL = ("charges", "collected")
_PLACE = ["payer", "key", "cluster_id"]
_NO_MODEL = sa.text("decode(repeat('00', 32), 'hex')")

# All models of a cluster together, for whoever goes back.
_TOGETHER = (
    "create temporary table together as select payer, key, cluster_id,"
    " sum(charged_usd6) as charged_usd6 from charges group by payer, key, cluster_id",
    "delete from charges",
    "insert into charges (payer, key, cluster_id, charged_usd6) select * from together",
    "drop table together",
    "create temporary table together as select payer, key, cluster_id,"
    " sum(collected_usd6) as collected_usd6 from collected group by payer, key, cluster_id",
    "delete from collected",
    "insert into collected (payer, key, cluster_id, collected_usd6) select * from together",
    "drop table together",
)


def upgrade() -> None:
    for table in _TABLES:
        column = sa.Column("model_id", sa.LargeBinary(), nullable=False, server_default=_NO_MODEL)
        op.add_column(table, column)
        op.alter_column(table, "model_id", server_default=None)
    for table in _BY_MODEL:
        op.drop_constraint(f"pk_{table}", table)
        op.create_primary_key(f"pk_{table}", table, [*_PLACE, "model_id"])


def downgrade() -> None:
    for table in _BY_MODEL:
        op.drop_constraint(f"pk_{table}", table)
    for table in _TABLES:
        op.drop_column(table, "model_id")
    for statement in _TOGETHER:
        op.execute(statement)
    for table in _BY_MODEL:
        op.create_primary_key(f"pk_{table}", table, _PLACE)
