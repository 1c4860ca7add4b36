"""Values to draw for property tests: whatever the grammar allows."""

from hypothesis import strategies as st

from gateway.sip.grammar import quote
from gateway.sip.headers import CSeq, MediaType, NameAddr, Via
from gateway.sip.uri import OtherUri, SipUri, TelUri

USER = st.from_regex(r"([A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-F]{2}){1,12}", fullmatch=True)
PASSURI_WORD = st.from_regex(r"([A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-F]{2}){0,8}", fullmatch=True)
HOST = st.from_regex(r"[a-z]([a-z0-9\-]{0,8}[a-z0-9])?(\.[a-z][a-z0-9]{0,8}){0,2}", fullmatch=True)
HOSTS = HOST | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
PORTS = st.none() | st.integers(1, 65535)
URI_WORD = st.from_regex(r"([\[\]/:&+$A-Za-z0-9\-_.!~*'()]|%[0-9A-F]{2}){1,8}", fullmatch=True)
URI_HEADER = st.from_regex(r"([\[\]/?:+$A-Za-z0-9\-_.!~*'()]|%[0-9A-F]{2}){1,8}", fullmatch=True)
URI_PARAMS = st.lists(st.tuples(URI_WORD, st.none() | URI_WORD), max_size=4).map(tuple)

SIP_URIS = st.builds(
    SipUri,
    st.sampled_from(["sip", "sips"]),
    USER,
    HOSTS,
    PORTS,
    URI_PARAMS,
    st.lists(st.tuples(URI_HEADER, URI_HEADER | st.just("")), max_size=3).map(tuple),
    st.none() | PASSURI_WORD,
) | st.builds(SipUri, st.sampled_from(["sip", "sips"]), st.none(), HOSTS, PORTS, URI_PARAMS)
TEL_URIS = st.builds(TelUri, st.from_regex(r"\+?[0-9\-.()]{1,15}", fullmatch=True), URI_PARAMS)
URIS = SIP_URIS | TEL_URIS | st.just(OtherUri("urn", "service:sos"))

TOKEN = st.from_regex(r"[A-Za-z0-9\-.!%*_+`'~]{1,10}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=12)
PARAMS = st.lists(st.tuples(TOKEN, st.none() | TOKEN | TEXT.map(quote)), max_size=4).map(tuple)

NAME_ADDRS = st.builds(NameAddr, TEXT, URIS, PARAMS)
VIAS = st.builds(Via, TOKEN.map(str.upper), HOSTS, PORTS, PARAMS)
CSEQS = st.builds(CSeq, st.integers(0, 2**32 - 1), TOKEN)
MEDIA_TYPES = st.builds(MediaType, TOKEN.map(str.lower), TOKEN.map(str.lower), PARAMS)
