"""Send tables and positions to TOPCAT, Aladin or DS9 by SAMP, the desktop protocol of the IVOA.

In: a VOTable file, or degrees. Out: messages to the programs that are connected to the running
hub; their names.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sky_ssl import __version__
from sky_ssl.errors import InputError

_TIMEOUT = 20  # seconds for a program to answer


def send_table(path: str | Path, name: str, *, to: str = "") -> list[str]:
    """Ask the programs that are connected to load a table.

    Args:
        path: a VOTable file, which must stay where it is until it is loaded.
        name: of the table, to show.
        to: part of a program's name; default all that can load tables.

    Returns:
        The names of the programs that loaded it.

    Raises:
        InputError: no hub runs, no program there loads tables, or all of them failed.
    """
    file = Path(path).resolve()
    message = {"url": file.as_uri(), "table-id": f"sky_ssl {file}", "name": name}
    return _call("table.load.votable", message, to)


def point_at(ra: float, dec: float, *, to: str = "") -> list[str]:
    """Ask the programs that are connected to show a position (degrees); see `send_table`."""
    return _call("coord.pointAt.sky", {"ra": f"{ra:.8f}", "dec": f"{dec:.8f}"}, to)


def _call(kind: str, parameters: dict[str, str], to: str) -> list[str]:
    with _client() as client:
        names = {
            str(key): str(client.get_metadata(key).get("samp.name", key))
            for key in client.get_subscribed_clients(kind)
        }
        chosen = {key: name for key, name in names.items() if to.lower() in name.lower()}
        if not chosen:
            there = ", ".join(names.values()) or "none"
            raise InputError(
                f"SAMP: no program{f' like {to!r}' if to else ''} that takes {kind} is connected "
                f"(there are: {there}); start TOPCAT, Aladin or DS9 and connect it to the hub"
            )
        done: list[str] = []
        failed: list[str] = []
        for key, name in chosen.items():
            message = {"samp.mtype": kind, "samp.params": parameters}
            answer = _answer(client, key, message)
            (done if answer == "" else failed).append(f"{name}: {answer}" if answer else name)
    if not done:
        raise InputError(f"SAMP: {kind} failed ({'; '.join(failed)[:300]})")
    return done


def _answer(client: Any, key: str, message: dict[str, Any]) -> str:
    """Call one program and wait; empty if it did what was asked, else what went wrong."""
    from astropy.samp import SAMPProxyError

    try:
        answer = client.call_and_wait(key, message, str(_TIMEOUT))
    except SAMPProxyError as error:
        return str(error)
    if answer.get("samp.status") in ("samp.ok", "samp.warning"):
        return ""
    return str(answer.get("samp.error", {}).get("samp.errortxt", "")) or "no reason given"


@contextmanager
def _client() -> Iterator[Any]:
    """Connect to the running hub.

    Raises:
        InputError: no hub runs.
    """
    with warnings.catch_warnings():
        # astropy means to part with this module; its successor is a package of its own
        warnings.filterwarnings("ignore", message=".*astropy.samp was deprecated.*")
        from astropy.samp import SAMPHubError, SAMPIntegratedClient, conf
    said = {"samp.name": "sky_ssl", "samp.description.text": f"sky_ssl {__version__}"}
    # loopback alone, as the hub itself; nobody is asked on the network
    with conf.set_temp("use_internet", False):
        client = SAMPIntegratedClient(metadata=said, addr="127.0.0.1", callable=False)
        try:
            client.connect()
        except (SAMPHubError, OSError) as error:
            where = os.environ.get("SAMP_HUB", "")
            raise InputError(
                f"SAMP: no hub runs{f' at {where}' if where else ''} "
                f"({' '.join(str(error).split())[:120]}): start TOPCAT or Aladin first"
            ) from None
        try:
            yield client
        finally:
            client.disconnect()
