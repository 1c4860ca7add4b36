"""Numbers as spreadsheets write them."""

import pytest

from gateway.batch.writings import DigitsLost, as_meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("+919876543210", "+919876543210"),
        ("+91 98765-43210", "+91 98765-43210"),
        ('="+919876543210"', "+919876543210"),
        ("'+919876543210", "+919876543210"),
        ("'09876543210", "09876543210"),
        ("919876543210.0", "919876543210"),
        ("919876543210,00", "919876543210"),
        ("+919876543210.0", "+919876543210"),
        ("9.19876543210E+11", "919876543210"),
        ("9,19876543210e11", "919876543210"),
        ("919876543210E0", "919876543210"),
        ("+9.19876543210E+11", "+919876543210"),
        ("415.555.0123", "415.555.0123"),
        ("+1.4155550123", "+1.4155550123"),
        ("none", "none"),
        ("'", ""),
    ],
)
def test_what_is_whole_is_read(written: str, meant: str) -> None:
    """Text in disguise, a fraction of nothing, an exponent with all its digits; all else stays."""
    assert as_meant(written, is_number=False) == meant


@pytest.mark.parametrize(
    "written",
    ["9.19876E+11", "9,2E11", "9.1987654321E+11", "9.198765432109E+11", "1E+12", "9198765432101234.0"],
)
def test_what_has_lost_digits_is_never_repaired(written: str) -> None:
    """A display of six digits, one of eleven out of twelve, and what a float cannot hold."""
    with pytest.raises(DigitsLost):
        as_meant(written, is_number=False)


@pytest.mark.parametrize("cell", ["919876543210", "14155550123", "18005000000", "919876543000", "98765"])
def test_a_number_in_a_number_cell_is_read_to_the_digit(cell: str) -> None:
    """One that ends in zeros too, as long as it has more digits than a spreadsheet would have shown."""
    assert as_meant(cell, is_number=True) == cell


@pytest.mark.parametrize("cell", ["919876000000", "9198765432101234", "9.1987654321012E+17", "1000000000000"])
def test_a_number_cell_that_was_a_display_once_has_lost_its_digits(cell: str) -> None:
    """Six digits and zeros behind them, or more digits than a spreadsheet keeps."""
    with pytest.raises(DigitsLost):
        as_meant(cell, is_number=True)


def test_a_fraction_in_a_number_cell_is_no_separator() -> None:
    """Nobody is called at the digits on both sides of it: a comma is in no number."""
    for is_number in (True, False):
        assert as_meant("919876543210.5", is_number=is_number) == "919876543210,5"
