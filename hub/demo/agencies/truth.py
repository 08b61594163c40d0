"""The true links between the simulated systems' records, kept aside for evaluation; the hub never reads them."""

import json
from pathlib import Path

from hub.demo.agencies.tax_rows import tax_key
from hub.demo.population import World, people


def write_truth(path: Path, world: World) -> None:
    """One JSON line a person: the true number, and the key each system would file the person under."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        for person in people(world):
            line = {
                "person": person.index,
                "member": person.member,
                "vaulted": person.vaulted,
                "number": person.number,
                "name": person.name,
                "birthDate": person.birth.isoformat(),
                "justice": f"36{person.index:08d}" if person.member else None,
                "police": f"R{person.serial('police')}",
                "socialSecurity": f"P{person.serial('social-security', 12)}",
                "tax": tax_key(person),
                "civilAffairs": f"MZ{person.serial('civil-affairs', 10)}",
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    temporary.replace(path)
