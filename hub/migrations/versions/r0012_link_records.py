"""A link is named by its record: the blind index of its key is cut, so two keys of one person may share it"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

NAMING = {"pk": "pk_%(table_name)s"}


def upgrade() -> None:
    op.execute("UPDATE person_link SET record = '' WHERE record IS NULL")
    _name_by("record", nullable=False)
    op.create_index("ix_person_link_key", "person_link", ["agency", "key_index"], unique=False)
    op.create_index("ix_identity_trait_agency", "identity_trait", ["person_id", "agency"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_identity_trait_agency", table_name="identity_trait")
    op.drop_index("ix_person_link_key", table_name="person_link")
    _name_by("key_index", nullable=True)
    op.execute("UPDATE person_link SET record = NULL WHERE record = ''")


def _name_by(column: str, *, nullable: bool) -> None:
    with op.batch_alter_table("person_link", naming_convention=NAMING) as batch:
        batch.drop_constraint("pk_person_link", type_="primary")
        batch.alter_column("record", existing_type=sa.String(length=32), nullable=nullable)
        batch.create_primary_key("pk_person_link", ["person_id", "agency", column])
