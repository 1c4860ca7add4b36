"""Red is for what takes something away: a button that is pressed by mistake should not look like it."""

import re
from pathlib import Path

STATIC = Path(__file__).parent.parent.parent / "gateway/web"
TEMPLATES = {path.name: path.read_text() for path in (STATIC / "templates").glob("*.html")}
TAKES_AWAY = re.compile(r"/(remove|revoke|delete|hangup|cancel|drop)$")


def forms() -> list[tuple[str, str, str]]:
    """Each form with an address: the template, the address, and what is in it."""
    found = []
    for name, text in TEMPLATES.items():
        for attributes, within in re.findall(r"<form\b((?:{{.*?}}|[^>])*)>(.*?)</form>", text, re.DOTALL):
            action = re.search(r'action="([^"]*)"', attributes)
            found.append((name, "" if action is None else action[1], within))
    return found


def test_what_takes_away_is_red_and_nothing_else() -> None:
    """To remove, revoke, delete, drop, cancel and hang up; not to buy, to publish, or to switch off."""
    red = {(name, action) for name, action, within in forms() if "danger" in within}
    takes = {(name, action) for name, action, _ in forms() if TAKES_AWAY.search(action)}
    assert red == takes
    assert len(takes) >= 9


def test_no_red_button_outside_these_forms() -> None:
    """Each red button was seen above; scripts make none of their own accord."""
    in_forms = sum(within.count("danger") for _, _, within in forms())
    assert sum(text.count("danger") for text in TEMPLATES.values()) == in_forms
    styled = re.findall(
        r"^([^{\n]*)\{[^}]*var\(--bad\)", (STATIC / "static/app.css").read_text(), re.MULTILINE
    )
    assert [one.strip() for one in styled if ".button" in one] == [".button.danger", ".button.danger:hover"]
