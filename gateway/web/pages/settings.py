"""Settings: the workspace, its accounts, its API keys."""

from starlette.responses import Response

from gateway.store.configuration.fields import WORKSPACE, parse_fields
from gateway.store.configuration.rules import is_country
from gateway.store.configuration.zone_names import zone_names
from gateway.store.engine.errors import InvalidInput
from gateway.web.changes import shown_changes
from gateway.web.page import Page, Visit, complaint, get, post
from gateway.web.who import who_of

OWN_FIELDS = ("name", "timezone", "default_country")
"What the workspace's people may change themselves."


async def show(visit: Visit, problem: str = "", secret: tuple[str, str] | None = None) -> Response:
    """The page; a fresh key is shown on it once."""
    store = visit.site.parts.store
    return visit.page(
        "settings.html",
        "settings",
        400 if problem else 200,
        accounts=await store.accounts.list_all(visit.workspace.id),
        keys=await store.configuration.keys.list_all(visit.workspace.id),
        available=await store.wallets.available(visit.workspace.id),
        changes=shown_changes(
            await store.configuration.history_of_workspace(visit.workspace.id, 20), {}, await who_of(visit)
        ),
        problem=problem,
        secret=secret,
        countries=_countries(visit),
        zones=zone_names(),
        api=f"{visit.request.base_url.scheme}://{visit.request.base_url.netloc}/v1",
    )


def _countries(visit: Visit) -> list[tuple[str, str]]:
    """Those whose numbers can be written as they are dialled there, by name."""
    names = {country.iso: country.name for country in visit.site.parts.placing.plan.countries}
    known = ((iso, name) for iso, name in names.items() if is_country(iso))
    return [("", "None: numbers need their plus"), *sorted(known, key=lambda pair: pair[1])]


async def change(visit: Visit) -> Response:
    """Another name for the workspace, another time zone or country; what the form does not have stays."""
    given = {name: visit.form.text(name) for name in OWN_FIELDS if name in visit.form.fields}
    try:
        workspaces = visit.site.parts.store.configuration.workspaces
        await workspaces.change(visit.workspace.id, parse_fields(WORKSPACE, given), visit.by)
    except InvalidInput as error:
        return await show(visit, complaint(error))
    return await visit.go("/settings", "Saved.")


async def add_account(visit: Visit) -> Response:
    """Let somebody else in."""
    form = visit.form
    try:
        added = await visit.site.parts.store.accounts.add(
            visit.workspace.id, form.text("name"), form.raw("password"), visit.by
        )
    except InvalidInput as error:
        return await show(visit, complaint(error))
    return await visit.go("/settings", f"{added.name} can log in.")


async def set_password(visit: Visit) -> Response:
    """Another password for one's own account, which ends its other sessions."""
    form, store = visit.form, visit.site.parts.store
    account_id = visit.session.account_id
    if account_id is None:
        return await show(visit, "Who logged in with an API key has no password.")
    if await store.accounts.check(visit.session.name, form.raw("current")) is None:
        return await show(visit, "The current password is another one.")
    try:
        await store.accounts.set_password(account_id, form.raw("password"), visit.by)
    except InvalidInput as error:
        return await show(visit, complaint(error))
    return await visit.go("/login")


async def remove_account(visit: Visit) -> Response:
    """Let somebody in no longer."""
    store = visit.site.parts.store
    account = await store.accounts.find(visit.path["id"], visit.workspace.id)
    if account.id == visit.session.account_id:
        return await show(visit, "That is your own account: somebody else has to remove it.")
    await store.accounts.remove(account.id, visit.by)
    return await visit.go("/settings", f"{account.name} can no longer log in.")


async def add_key(visit: Visit) -> Response:
    """A fresh API key; its secret is on this page alone."""
    try:
        keys = visit.site.parts.store.configuration.keys
        key, secret = await keys.add(visit.workspace.id, visit.form.text("name"), visit.by)
    except InvalidInput as error:
        return await show(visit, complaint(error))
    return await show(visit, secret=(key.name, f"{key.id}:{secret}"))


async def revoke_key(visit: Visit) -> Response:
    """Let a key open nothing any more."""
    keys = visit.site.parts.store.configuration.keys
    key = await keys.revoke(visit.path["id"], visit.by, visit.workspace.id)
    return await visit.go("/settings", f"Key {key.name} is revoked.")


PAGES: tuple[Page, ...] = (
    get("/settings", show),
    post("/settings", change),
    post("/settings/accounts", add_account),
    post("/settings/password", set_password),
    post("/settings/accounts/{id}/remove", remove_account),
    post("/settings/keys", add_key),
    post("/settings/keys/{id}/revoke", revoke_key),
)
