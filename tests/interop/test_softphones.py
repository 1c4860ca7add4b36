"""Softphones that call with something to say and hear it back."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.process import ROOT, Gateway, require
from tests.interop.seed import ECHO, NATIVE, NATIVE_8K
from tests.interop.softphones import call_with_baresip, call_with_pyvoip
from tests.interop.sound import assert_came_back, speech_like

pytestmark = [pytest.mark.interop, pytest.mark.alone]


@pytest.mark.parametrize(
    ("number", "codec", "transport"),
    [(ECHO, "pcmu", "udp"), (ECHO, "pcma", "tcp"), (NATIVE, "pcmu", "udp"), (NATIVE_8K, "pcma", "tls")],
)
def test_baresip_hears_itself(
    gateway: Gateway, baresip: Path, number: str, codec: str, transport: str
) -> None:
    """What baresip says comes back whole and in time, by either codec, transport and dialect."""
    speech = speech_like(3.0)
    port = gateway.tls_port if transport == "tls" else gateway.sip_port
    heard = call_with_baresip(port, number, speech, baresip / "baresip", codec, transport)
    assert_came_back(speech, heard.samples, 0.8, heard.output)


def test_pyvoip_hears_itself(gateway: Gateway, tmp_path: Path) -> None:
    """What a Python softphone says comes back, through its 8-bit audio and its wandering clock."""
    if not (ROOT / ".venv-interop-pyvoip/bin/python").exists():
        pytest.skip("pyVoIP is not installed: scripts/test does it")
    speech = speech_like(3.0)
    heard = call_with_pyvoip(gateway.sip_port, ECHO, speech, tmp_path / "pyvoip")
    # Its sender sleeps for 20 ms after each packet and falls behind: some pieces are split by an underrun.
    assert_came_back(speech, heard.samples, 0.6, heard.output)


def test_sipsak_pings(gateway: Gateway) -> None:
    """sipsak's OPTIONS is answered 200, with what we allow."""
    require("sipsak", "sipsak")
    result = subprocess.run(
        [shutil.which("sipsak") or "sipsak", "-vvv", "-s", f"sip:{ECHO}@127.0.0.1:{gateway.sip_port}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SIP/2.0 200" in result.stdout
    assert "Allow:" in result.stdout
