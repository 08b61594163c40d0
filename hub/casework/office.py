"""Names of offices in the ledger of responsibility: the role that its officers have, and its region."""

import msgspec


class Office(msgspec.Struct, frozen=True, order=True):
    """`region` is a code of GB/T 2260 or GB/T 10114; text form `role/region`, as `judicial-office/360702`."""

    role: str
    region: str

    def __str__(self) -> str:
        return f"{self.role}/{self.region}"

    @classmethod
    def parse(cls, text: str) -> "Office":
        """Raises ValueError: not `role/region`."""
        role, _, region = text.partition("/")
        if not role or not region.isdigit():
            raise ValueError("an office is named role/region")
        return cls(role, region)


def region_of(office: str | None) -> str:
    """The region of an office, empty if none is known."""
    return office.partition("/")[2] if office else ""
