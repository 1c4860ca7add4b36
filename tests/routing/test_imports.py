"""Files that can never mean what they say are refused, with the line and column of each mistake."""

import pytest

from gateway.config.settings import OutboundSettings
from gateway.numbering.files import NETWORK_GROUPS, SAMPLE_RATES, load_plan, shipped
from gateway.routing.importer import DataError, decoded, read_network_groups, read_rates
from gateway.routing.plan import NumberingPlan

HEADER = "prefix,destination,per_minute\n"


@pytest.fixture(scope="module")
def plan() -> NumberingPlan:
    """The plan that ships with the gateway."""
    return load_plan(OutboundSettings())


def test_what_ships_is_taken(plan: NumberingPlan) -> None:
    """No line of the gateway's own files is refused."""
    assert len(read_network_groups(shipped(NETWORK_GROUPS), plan)) > 400
    read_rates(shipped(SAMPLE_RATES), "INR")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("GB,Mobile,07", "column prefixes: no number of United Kingdom begins with +44 and '07'"),
        ("DE,All,0", "column prefixes: no number of Germany begins with +49 and '0'"),
        ("IN,Mobile,9198", "column prefixes: prefixes stand after the calling code 91, so not '9198'"),
        ("IN,Mobile,9198|9199", "column prefixes: prefixes stand after the calling code 91, so not '9198'"),
        ("GB,Mobile,447", "column prefixes: prefixes stand after the calling code 44, so not '447'"),
        ("US,All,1415", "column prefixes: no number of United States begins with +1 and '1415'"),
        ("US,Toronto,416", "column prefixes: no number of United States begins with +1 and '416'"),
        ("US,London,+4479", "column prefixes: prefixes of United States begin with +1, not '+4479'"),
        ("IN,Mobile,98765432109876", "column prefixes: no number of India begins with +91"),
        ("GB,Mobile,77|78|77", "column prefixes: each prefix once, not '77' twice"),
        ("GB,Mobile,7O", "LATIN CAPITAL LETTER O (U+004F), perhaps for 0"),
        ("XX,All,", "column country_iso: is no country of the numbering plan, not 'XX'"),
        ("UK,All,", "column country_iso: is no country of the numbering plan, not 'UK'"),
    ],
)
def test_what_can_never_match_is_refused(plan: NumberingPlan, row: str, said: str) -> None:
    """A trunk zero, a calling code said twice, another country's: no number would ever be in the group."""
    with pytest.raises(DataError) as caught:
        read_network_groups(f"country_iso,name,prefixes\n{row}\n", plan)
    (problem,) = map(str, caught.value.problems)
    assert problem.startswith("line 2, ")
    assert said in problem


@pytest.mark.parametrize(
    ("row", "prefixes"),
    [
        ("GB,Mobile,79", ("79",)),
        ("GB,Mobile,+4479", ("79",)),
        ("IN,Mobile,+919198", ("9198",)),
        ("IN,Mobile,91|98|99", ("91", "98", "99")),
        ("IN,Mobile,\uff19\uff18|\u200b99", ("98", "99")),
        ("IT,Fixed,06", ("06",)),
        ("RU,Free,800", ("800",)),
        ("KZ,Mobile,77|747", ("77", "747")),
        ("US,California,415", ("415",)),
        ("CA,Toronto,416", ("416",)),
    ],
)
def test_what_can_match_is_taken(plan: NumberingPlan, row: str, prefixes: tuple[str, ...]) -> None:
    """Zeros that belong to a number, and what only looks like a calling code."""
    (group,) = read_network_groups(f"country_iso,name,prefixes\n{row}\n", plan)
    assert group.prefixes == prefixes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1, column prefix: the file is empty; its columns are prefix, destination"),
        (b"\xef\xbb\xbf\n\n# nothing\n", "column prefix: the file is empty"),
        (HEADER.encode(), "line 1, column prefix: there is nothing below the header"),
        (
            b"prefix,destination,per_minute,Prefix\n1,a,1,1\n",
            "line 1, column prefix: this column stands",
        ),
        (
            f"{HEADER}1,a,1\n{HEADER}44,b,1\n".encode(),
            "line 3, column prefix: the header stands here",
        ),
        (
            f"{HEADER}\n33,caf\xe9,1\n".encode("latin-1"),
            "line 3, column destination: should be UTF-8",
        ),
        (f"{HEADER}33,a,1\n".encode("utf-16"), "line 1, column prefix: the file is UTF-16"),
        (f"{HEADER}33,a,1\n".encode("utf-16-le"), "line 1, column prefix: the file is UTF-16"),
        (b"prefix;destination;per_minute\n1;a;1\n", "column prefix: columns are separated by commas"),
        (
            b"prefix\tdestination\tper_minute\n1\ta\t1\n",
            "column prefix: columns are separated by commas",
        ),
        (f"{HEADER}999,Nowhere,1\n".encode(), "line 2, column prefix: no international number begins so"),
        (f"{HEADER}4407,Mobile,1\n".encode(), "line 2, column prefix: no international number begins so"),
        (
            f"{HEADER}9l,India,1\n".encode(),
            "not '9l': it has LATIN SMALL LETTER L (U+006C), perhaps for 1",
        ),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes, said: str) -> None:
    """Empty, doubled, in another encoding, with other separators: of a rate deck, as of every other file."""
    with pytest.raises(DataError) as caught:
        read_rates(decoded(content), "INR")
    assert said in str(caught.value.problems[0])
