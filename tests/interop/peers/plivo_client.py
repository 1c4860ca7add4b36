"""Plivo's own SDK, which knows nothing of this project, making the requests that our provider makes.

Runs in an environment of its own: `plivo_client.py SERVER_URL AUTH_ID AUTH_TOKEN`. Prints one JSON line with
what it understood of the answers.
"""

import json
import sys

import plivo
import plivo.rest.client

NUMBER = "14154009186"


def main(server: str, auth_id: str, auth_token: str) -> None:
    """Search, buy, look, map, list, release, and ask for India's requirements."""
    # The SDK has its server as a constant.
    plivo.rest.client.PLIVO_API_BASE_URI = f"{server}/v1/Account"
    client = plivo.RestClient(auth_id, auth_token)
    found = client.numbers.search(
        country_iso="US", type="local", pattern="415", region="CA", services="voice", limit=20, offset=0
    )
    bought = client.numbers.buy(NUMBER, app_id="986908123123411213")
    rented = client.numbers.get(NUMBER)
    client.numbers.update(NUMBER, app_id="986908123123411213")
    listed = client.numbers.list(limit=20, offset=0)
    proofs = client.phone_number_compliance_requirements.get("IN", "local", "business")
    client.numbers.delete(NUMBER)
    said = {
        "found": found.objects[0].number,
        "bought": bought.numbers[0].status,
        "renewal": rented.renewal_date,
        "listed": len(listed.objects),
        "proofs": len(proofs.document_types),
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
