"""Whether the MQTT broker is there, and lets this gateway in."""

from collections.abc import AsyncIterator

from gateway.commands.finding import Finding, bad, ok
from gateway.config.loading import Config
from gateway.events.link import broker_address
from gateway.net.mqtt import try_broker
from gateway.net.tls import BadCertificate


async def check_mqtt(config: Config) -> AsyncIterator[Finding]:
    """Nothing where no broker is set; else one login as a client of another name."""
    if not config.mqtt.url:
        return
    try:
        address = broker_address(config.mqtt, config.gateway.name)
        wrong = await try_broker(address)
    except BadCertificate as error:
        yield bad("mqtt", str(error), "name PEM files by [mqtt] ca, certificate and private_key")
        return
    except ImportError as error:
        yield bad("mqtt", str(error), "pip install 'trunkline[mqtt]', or leave [mqtt] url empty")
        return
    if wrong:
        yield bad("mqtt", f"{address}: {wrong}", _mend(wrong))
    else:
        yield ok("mqtt", f"{address} lets us in" + (f" as {address.username}" if address.username else ""))


def _mend(wrong: str) -> str:
    text = wrong.lower()
    if "authori" in text or "password" in text or "credential" in text:
        return "mend [mqtt] username and password, or the broker's list of users"
    if "certificate" in text or "ssl" in text:
        return "mend [mqtt] ca, certificate and private_key; the url has to have the certificate's name"
    return "start the broker, open the firewall, or mend [mqtt] url"
