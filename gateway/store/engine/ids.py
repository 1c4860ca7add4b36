"""Identifiers: a prefix that says what it is, then a time-ordered random part."""

import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"Crockford's base 32, in lower case: no i, l, o, u to misread."
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))
"Of 13 pairs of letters: every call makes three ids, and letter by letter takes five times as long."


_last = 0


def new_id(prefix: str) -> str:
    """A fresh id such as `call_06bqk2…`: 48 bits of milliseconds, then 80 random bits.

    Ids made later sort later, so that new rows go to the end of every index: from process to process by the
    millisecond, within one always, also where the clock is set back.
    """
    global _last
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    if number <= _last:
        # Made in the same millisecond, or the clock was set back: still later than all before.
        number = _last + 1 + secrets.randbits(76)
    _last = number
    return f"{prefix}_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
