"""The numbers that calls go out from in the tests, each by a trunk of its own to a port of its own."""

from dataclasses import dataclass, field

from tests.interop.sipp import free_port

CALLEE = "+442079460018"
WORKSPACE = "outbound"
LOGIN = 'auth_mode = "userpass"\noutbound_username = "ali"\noutbound_password = "{}"\n'


@dataclass(frozen=True, slots=True)
class WayOut:
    """A number, its trunk, and the port where the carrier or the phone listens."""

    number: str
    path: str = "native/echo"
    dialect: str = "native"
    trunk: str = ""
    "Further lines of the trunk."
    version: str = ""
    "Further lines of the agent's version."
    port: int = field(default_factory=free_port)


def seed(ways: dict[str, WayOut], agent_port: int) -> str:
    """A seed file with a workspace that may call anywhere, and its ways out."""
    text = f'[[workspaces]]\nname = "{WORKSPACE}"\nkyc_verified = true\nsip_flat_rate = "0.50"\n'
    return text + "".join(_way(name, way, agent_port) for name, way in ways.items())


def _way(name: str, way: WayOut, agent_port: int) -> str:
    return f"""
[[trunks]]
workspace = "{WORKSPACE}"
name = "{name}"
termination_uri = "127.0.0.1:{way.port}"
{way.trunk}
[[agents]]
workspace = "{WORKSPACE}"
name = "{name}"

[[agents.versions]]
runtime_url = "ws://127.0.0.1:{agent_port}/{way.path}"
dialect = "{way.dialect}"
state = "published"
{way.version}
[[numbers]]
workspace = "{WORKSPACE}"
e164 = "{way.number}"
trunk = "{name}"
sip_trunk_enabled = true
outbound = "{name}/1"
"""
