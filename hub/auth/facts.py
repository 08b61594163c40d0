"""The few facts about asker and person that access depends on (DOMAIN section 3.2, conditions J T C O N K 2).

A decision class is a value of `Facts`; two persons with equal facts get equal decisions from one asker.
"""

import msgspec


class Facts(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    jurisdiction: bool = False  # J: over a responsible office, current or up to 60 days past
    term: bool = False  # T: in the assistance term, or up to 30 days after it
    case: bool = False  # C: Hub-Case names an open case or task of this person at the asker's agency
    own: bool = False  # O: the asker's agency itself holds a record of this person
    consent: bool = False  # N: consent on file for this agency and purpose
    key_person: bool = False  # K: classed 01 (重点帮教)
    approved: bool = False  # 2: a second approver's time-boxed approval stands
