"""Where agencies disagree: every value with its source, whose word stands, and who says the same."""

LIST = """query ($after: String) { people(first: 100, after: $after) { pageInfo { hasNextPage endCursor } edges { node {
  name identityNumber birthDate
  provenance { field agency record asOf receivedAt verifiedBy }
  conflicts { coordinate values { agency value record asOf receivedAt verifiedBy chosen } } } } } }"""


def people(demo, persona):
    found, after = [], None
    while True:
        reply = demo.ask(persona, LIST, {"after": after})
        assert reply.status == 200, reply.raw
        page = reply.json["data"]["people"]
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def test_conflicts_are_data_and_the_field_bears_the_value_that_was_chosen(demo):
    seen = [(one, conflict) for one in people(demo, "judicial-office") for conflict in one["conflicts"]]
    assert seen
    for one, conflict in seen:
        values = conflict["values"]
        (chosen,) = [value for value in values if value["chosen"]]
        field = conflict["coordinate"].removeprefix("Person.")
        if field in one:
            assert one[field] == chosen["value"]
        assert len({value["value"] for value in values}) > 1
        assert len({value["record"] for value in values}) == len(values)
        assert all(value["asOf"] and value["receivedAt"] for value in values)
        (source,) = [held for held in one["provenance"] if held["field"] == field]
        assert {name: chosen[name] for name in ("agency", "record", "asOf", "verifiedBy")} == {
            name: source[name] for name in ("agency", "record", "asOf", "verifiedBy")
        }
        said = {value["agency"]: value["value"] for value in values}
        for value in values:
            assert all(said[agency] == value["value"] for agency in value["verifiedBy"]), conflict
            assert value["agency"] not in value["verifiedBy"]


def test_who_says_the_same_is_told_of_whole_values_only(demo):
    """A masked value that looks the same may be another."""
    masked = whole = 0
    for persona in ("judicial-office", "county-office", "police-station"):
        for one in people(demo, persona):
            for source in one["provenance"]:
                shown = one.get(source["field"])
                if isinstance(shown, str) and "*" in shown:
                    assert source["verifiedBy"] == []
                    masked += 1
                elif source["verifiedBy"]:
                    whole += 1
    assert whole
