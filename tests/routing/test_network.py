"""Addresses and the networks they are in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.network import NetworkMap, parse_address, parse_network
from gateway.routing.table import Trunk, Trunks
from tests.cost import cost


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::/0", "::/0"),
    ],
)
def test_a_source_is_an_address_or_a_network(text: str, network: str) -> None:
    """Host bits are ignored, and IPv4-mapped networks are IPv4."""
    assert str(parse_network(text)) == network


def test_a_trunk_with_a_bad_source_is_named() -> None:
    """Whoever loads the trunks learns which one it is."""
    with pytest.raises(ValueError, match=r"trunk 'Carrier': source .*192\.0\.2\.0/33"):
        Trunks([Trunk("trunk_1", None, "Carrier", sources=("192.0.2.0/33",))])


def test_the_narrowest_network_comes_first() -> None:
    """All that fit are found."""
    networks = NetworkMap([("192.0.2.0/24", "wide"), ("0.0.0.0/0", "all"), ("192.0.2.7", "one")])
    assert [value for _, value in networks.find(parse_address("192.0.2.7"))] == ["one", "wide", "all"]
    assert networks.find(parse_address("2001:db8::1")) == []


@given(
    st.lists(st.ip_addresses(v=4).flatmap(lambda a: st.integers(0, 32).map(lambda n: f"{a}/{n}"))), st.data()
)
def test_the_map_finds_what_a_search_finds(networks: list[str], data: st.DataObject) -> None:
    """The same networks as asking each in turn."""
    address = data.draw(st.ip_addresses(v=4))
    found = [text for text, _ in NetworkMap([(text, text) for text in networks]).find(address)]
    assert sorted(found) == sorted(text for text in networks if address in parse_network(text))


NETWORKS = (
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "10.1.2.3/32",
    "10.1.2.0/24",
    "2001:db8::/48",
    "2001:db8::7",
)
SOURCES = st.lists(st.sampled_from(NETWORKS), unique=True).map(tuple)


@given(st.lists(st.tuples(st.integers(0, 4), st.none() | SOURCES)))
def test_trunks_that_were_changed_are_as_if_built_anew(
    changes: list[tuple[int, tuple[str, ...] | None]],
) -> None:
    """Whatever was put and dropped, the same are found, in the same order; those of before stay."""
    trunks, present = Trunks(), dict[str, Trunk]()
    for index, sources in changes:
        before = (trunks, [trunks.at("10.1.2.3"), trunks.at("2001:db8::7")])
        edit, name = trunks.edit(), f"trunk_{index}"
        if sources is None:
            present.pop(name, None)
            list(edit.dropping(name))
        else:
            present[name] = Trunk(name, None, name, sources=sources, provider="plivo" if index % 2 else None)
            edit.put(present[name])
        trunks, anew = edit.done(), Trunks(present.values())
        assert list(trunks) == list(anew)
        assert trunks.by_provider.get("plivo", ()) == anew.by_provider.get("plivo", ())
        for source in ("10.1.2.3", "10.1.9.9", "10.2.0.1", "2001:db8::7", "192.0.2.1"):
            assert set(trunks.at(source)) == set(anew.at(source))
            assert [one.id for _, one in trunks.at(source)] == [one.id for _, one in anew.at(source)]
            assert {one.id for one in trunks.near(source)} == {one.id for one in anew.near(source)}
            assert trunks.knows(source) == bool(trunks.at(source))
        assert [before[0].at("10.1.2.3"), before[0].at("2001:db8::7")] == before[1]


def test_a_change_of_one_trunk_costs_what_it_changes() -> None:
    """Beside 40 trunks with a thousand networks each, no step takes long; another name takes nothing."""
    made = [
        Trunk(f"trunk_{i}", None, f"T{i}", sources=tuple(f"10.{i}.{j // 256}.{j % 256}" for j in range(1000)))
        for i in range(40)
    ]
    trunks = Trunks(made)
    moved = replace(made[7], sources=tuple(f"11.7.{j // 256}.{j % 256}" for j in range(1000)))
    renamed = replace(made[7], name="Another")
    assert cost(lambda: trunks.edit().put(renamed)) < 3
    assert cost(lambda: next(trunks.edit().putting(moved))) < 3
    assert len(list(trunks.edit().putting(moved))) == 20


def test_a_stranger_costs_the_same_whatever_is_configured() -> None:
    """With 20 000 networks a look-up still takes microseconds."""
    networks = NetworkMap([(f"10.{i // 256}.{i % 256}.0/24", i) for i in range(20_000)])
    stranger = parse_address("192.0.2.7")
    assert cost(lambda: [networks.find(stranger) for _ in range(1000)]) < 50
