"""Identifiers: a prefix that says what it is, then a time-ordered random part."""

import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"Crockford's base 32, in lower case: no i, l, o, u to misread."


def new_id(prefix: str) -> str:
    """A fresh id such as `call_06bqk2…`: 48 bits of milliseconds, then 80 random bits.

    Ids made later sort later (by the millisecond), so that new rows go to the end of every index.
    """
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
