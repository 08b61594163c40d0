import pytest

from benchmarks.peers.report import BEGIN, END, insert, markdown, ratios, read_results


def row(peer: str, rps: float, cpu: float, *, q: str = "Q1", conns: int = 8):
    return {
        "peer": peer,
        "q": q,
        "conns": conns,
        "rps": rps,
        "cpu": cpu,
        "pg": 0.5,
        "p50": 8.0,
        "p99": 16.0,
        "rss": 120.0,
        "bad": 0,
    }


def results(*rows):
    return read_results({"results": list(rows)})


def test_ratios_are_by_rate_and_by_cpu_of_server_and_database():
    found = {one.peer: one for one in ratios(results(row("hub", 900, 0.5), row("postgraphile", 600, 1.5)))}
    assert found["postgraphile"].by_rate == 1.5
    assert found["postgraphile"].by_cpu == 2.0
    assert found["postgraphile"].target == 1.4
    assert found["postgraphile"].reached


@pytest.mark.parametrize(
    ("rps", "cpu"), [pytest.param(800, 0.2, id="rate too low"), pytest.param(2_000, 1.5, id="too much CPU")]
)
def test_a_target_is_reached_only_both_ways(rps, cpu):
    (found,) = ratios(results(row("hub", rps, cpu), row("postgraphile", 600, 1.5)))
    assert found.reached is False


def test_a_peer_without_a_target_is_shown_unjudged():
    (found,) = ratios(results(row("hub", 900, 0.5), row("hive_gateway", 100, 5)))
    assert (found.target, found.reached) == (None, None)


def test_only_the_judged_number_of_connections_counts():
    assert not list(ratios(results(row("hub", 900, 0.5, conns=1), row("strawberry", 40, 20, conns=1))))


def test_the_table_says_how_many_targets_are_reached():
    text = markdown(
        results(row("hub", 900, 0.5), row("strawberry", 40, 20), row("floor_agency", 2_000, 0.1)), about="Now."
    )
    assert "1 of 2 targets reached" in text
    assert "| Q1 | strawberry | 22.50 | 20.50 | 20 | yes |  |" in text
    assert "| Q1 | floor_agency | 0.45 | 0.60 | 0.7 | no |  |" in text


def test_the_page_is_changed_between_its_markers_alone():
    page = f"# A\n{BEGIN}\nold\n{END}\nend\n"
    assert insert(page, "new\n") == f"# A\n{BEGIN}\n\nnew\n\n{END}\nend\n"
    assert insert(insert(page, "new\n"), "new\n") == insert(page, "new\n")


def test_a_page_without_markers_is_not_touched():
    with pytest.raises(ValueError, match="bench-peers"):
        insert("# A\n", "new")
