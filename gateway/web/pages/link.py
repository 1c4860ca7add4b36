"""Link SIP trunk: one's own number at one's own carrier, tested before it is saved."""

from starlette.responses import Response

from gateway.provisioning.carrier_side import carrier_side
from gateway.provisioning.errors import Upstream
from gateway.provisioning.linking import Link, flat_rate
from gateway.routing.table import Secret, TrunkAuthMode
from gateway.store.engine.errors import InvalidInput
from gateway.web.page import Page, Visit, complaint, get, post

TEXTS = ("number", "nickname", "termination_uri", "transport", "auth_mode", "username", "sources")
MODES = (("userpass", "User name and password"), ("ip", "Our address, on the carrier's list"))


async def show(
    visit: Visit, problem: str = "", report: object = None, status: int = 200, *, passed: bool = False
) -> Response:
    """The page; for the script that asks, the outcome alone."""
    said = {"problem": problem, "report": report, "passed": passed}
    if visit.request.headers.get("x-part") is not None:
        return visit.part("trial.html", **said)
    given = {name: visit.form.text(name)[:300] for name in TEXTS}
    return visit.page(
        "link.html",
        "link",
        status,
        given=given,
        modes=MODES,
        rate=str(flat_rate(visit.workspace)),
        side=carrier_side(visit.site.parts.config),
        **said,
    )


async def link(visit: Visit) -> Response:
    """Test the connection, and with “link” pressed save the number with its trunk."""
    wanted = _wanted(visit)
    linking = visit.site.parts.linking
    try:
        if visit.form.text("act") == "test":
            report = await linking.try_link(wanted)
            return await show(visit, report=report.as_dict(), passed=report.passed)
        linked = await linking.link(wanted)
    except InvalidInput as error:
        return await show(visit, complaint(error), status=400)
    except Upstream as error:
        return await show(visit, error.message, error.report, 502)
    await visit.site.parts.store.refresh()
    say = f"{linked.number.e164} is linked. Assign a published agent version to it next."
    return await visit.go(f"/numbers/{linked.number.id}", say)


def _wanted(visit: Visit) -> Link:
    form = visit.form
    mode = form.text("auth_mode") or TrunkAuthMode.USERPASS.value
    password = form.raw("password") if mode == TrunkAuthMode.USERPASS else ""
    return Link(
        visit.workspace.id,
        form.text("number")[:40],
        form.text("termination_uri")[:300],
        visit.by,
        auth_mode=mode,
        username=(form.text("username") or None) if mode == TrunkAuthMode.USERPASS else None,
        password=Secret(password) if password else None,
        nickname=form.text("nickname")[:100],
        transport=form.text("transport") or "UDP",
        sources=tuple(part.strip() for part in form.text("sources").split(",") if part.strip()),
    )


PAGES: tuple[Page, ...] = (get("/numbers/link", show), post("/numbers/link", link))
