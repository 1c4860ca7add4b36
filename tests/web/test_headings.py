"""Every heading of the reference's page on phone numbers is found again, and leads somewhere."""

import re
from pathlib import Path

import pytest

from gateway.web.pages import number

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = {path.name: path.read_text() for path in (ROOT / "gateway/web/templates").glob("*.html")}

HEADINGS = (
    "Number Types In The Dashboard",
    "Phone Number Fields Users Should Recognize",
    "Inbound And Outbound Assignments Are Separate",
    "Telephony Pricing Behavior",
    "Outbound Destination Validation",
    "Prepare A Number For Production",
    "Common Phone Number Mistakes",
    "SIP Trunking",
    "Inbound Calls",
    "Outbound Calls",
    "Audio Quality",
)
STEPS = {"active", "readiness", "versions", "telephony", "trunk", "inbound_test", "outbound_test"}


def table() -> dict[str, str]:
    """Where docs/dashboard.md says that each heading is."""
    text = (ROOT / "docs/dashboard.md").read_text().partition("## Where the reference's headings are")[2]
    found = re.findall(r"^\| ([A-Z].*?) \| (.*) \|$", text, re.MULTILINE)
    return dict(found)


def test_the_table_has_every_heading() -> None:
    """Each of the reference's headings has its row, in its order, and there is no other."""
    assert tuple(table()) == HEADINGS


@pytest.mark.parametrize("heading", HEADINGS)
def test_it_leads_somewhere(heading: str) -> None:
    """Pages are in the navigation, headings in a template, documents in docs/."""
    place = table()[heading]
    pages = re.findall(r"\*\*(.+?)\*\*", place)
    parts = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", place)
    documents = re.findall(r"\((\w+\.md)\)", place)
    assert pages or parts
    for page in pages:
        assert f"'{page}'" in TEMPLATES["base.html"], f"{page} is not in the navigation"
    for part in parts:
        marks = (f"<h2>{part}</h2>", f"<dt>{part}</dt>", f">{part}</th>")
        assert any(mark in text for text in TEMPLATES.values() for mark in marks), f"{part} is on no page"
    for document in documents:
        assert (ROOT / "docs" / document).exists()


def test_each_step_that_can_be_mended_has_its_button() -> None:
    """Five steps lead somewhere; what helps a number that is not active depends on whose it is."""
    assert {*number.MENDS, "active"} == STEPS
