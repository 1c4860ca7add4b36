"""Addresses and the networks they are in."""

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


def test_a_stranger_costs_the_same_whatever_is_configured() -> None:
    """With 20 000 networks a look-up still takes microseconds."""
    networks = NetworkMap([(f"10.{i // 256}.{i % 256}.0/24", i) for i in range(20_000)])
    stranger = parse_address("192.0.2.7")
    assert cost(lambda: [networks.find(stranger) for _ in range(1000)]) < 50
