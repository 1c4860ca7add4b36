"""The empty file for a version."""

import csv
import io

from gateway.batch.template import template_file


def test_a_template_has_the_number_and_the_parameters() -> None:
    """In their order, each once; a parameter that would be a second column for the number is left out."""
    made = template_file(["name", "City", "name", "Phone", "a,b"])
    assert next(csv.reader(io.StringIO(made))) == ["phone_number", "name", "City", "a,b"]


def test_a_template_of_ascii_has_no_mark() -> None:
    """Any reader finds its first column; names in other letters are marked, for spreadsheets."""
    assert template_file([]) == "phone_number\r\n"
    assert template_file(["Straße"]).startswith("\ufeffphone_number,Straße")


def test_a_parameter_is_no_formula() -> None:
    """A spreadsheet that opens the template runs nothing."""
    assert template_file(["=1+1"]) == "phone_number,'=1+1\r\n"
