"""SAMP against astropy's own hub, on loopback, with a lock file of its own."""

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from sky_ssl.errors import InputError
from sky_ssl.explore.candidatefiles import write_candidates
from sky_ssl.explore.samp import point_at, send_table

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=".*astropy.samp was deprecated.*")
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient, conf


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file by which programs find the hub; not that of the user's own."""
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'samp').as_uri()}")
    return tmp_path / "samp"


@pytest.fixture
def hub(lock: Path) -> Iterator[SAMPHubServer]:
    with conf.set_temp("use_internet", False):
        server = SAMPHubServer(
            lockfile=str(lock), web_profile=False, addr="127.0.0.1", mode="multiple"
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Program:
    """A program that is connected and keeps what it is sent."""

    def __init__(
        self, hub: SAMPHubServer, name: str, kinds: list[str], status: str = "samp.ok"
    ) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.client = SAMPIntegratedClient(metadata={"samp.name": name}, addr="127.0.0.1")
        self.client.connect()
        answer = {"samp.status": status, "samp.result": {}}
        if status == "samp.error":
            answer["samp.error"] = {"samp.errortxt": "out of memory"}

        def take(key: str, sender: str, id_: str, kind: str, params: Any, extra: Any) -> None:
            self.received.append((kind, params))
            # astropy's hub delivers a question before it notes that it waits for the answer, and
            # drops one that is faster than that
            for _ in range(2000):
                if id_ in hub._sync_msg_ids_heap:
                    break
                time.sleep(0.01)
            self.client.reply(id_, answer)

        for kind in kinds:
            self.client.bind_receive_call(kind, take)


@pytest.fixture
def programs(hub: SAMPHubServer) -> Iterator[list[Program]]:
    both = [
        Program(hub, "TOPCAT", ["table.load.votable", "coord.pointAt.sky"]),
        Program(hub, "Aladin", ["coord.pointAt.sky"]),
    ]
    yield both
    for program in both:
        program.client.disconnect()


def test_a_table_reaches_the_program_that_loads_tables(
    programs: list[Program], tmp_path: Path
) -> None:
    """The program gets an address under which the list can be read."""
    frame = pd.DataFrame({"id": ["a"], "ra": [10.123456789012], "dec": [-0.5], "rank": [1]})
    write_candidates(frame, tmp_path / "my list.vot", {})
    assert send_table(tmp_path / "my list.vot", "dwarfs") == ["TOPCAT"]
    ((kind, parameters),) = programs[0].received
    assert (kind, parameters["name"]) == ("table.load.votable", "dwarfs")
    table = Table.read(parameters["url"], format="votable")
    np.testing.assert_array_equal(table["ra"], [10.123456789012])


def test_a_position_reaches_all_or_the_one_that_is_named(programs: list[Program]) -> None:
    """To seven decimals and more, as text, which SAMP asks for."""
    assert sorted(point_at(10.5, -0.25)) == ["Aladin", "TOPCAT"]
    assert point_at(10.5, -0.25, to="aladin") == ["Aladin"]
    assert [len(p.received) for p in programs] == [1, 2]
    assert programs[1].received[0][1] == {"ra": "10.50000000", "dec": "-0.25000000"}


def test_without_a_hub_one_line_says_what_to_do(lock: Path) -> None:
    """No lock file, and one left behind by a hub that is gone."""
    with pytest.raises(InputError, match=r"no hub runs .*start TOPCAT or Aladin first"):
        point_at(1, 2)
    lock.write_text(
        "samp.secret=x\nsamp.hub.xmlrpc.url=http://127.0.0.1:9/\nsamp.profile.version=1.3\n"
    )
    with pytest.raises(InputError, match="start TOPCAT or Aladin first") as caught:
        point_at(1, 2)
    assert "\n" not in str(caught.value)


def test_without_a_program_or_with_a_failing_one_it_says_so(
    hub: SAMPHubServer, tmp_path: Path
) -> None:
    """The hub alone loads no tables; what the program complains of is passed on."""
    with pytest.raises(InputError, match=r"no program that takes table\.load\.votable"):
        send_table(tmp_path / "x.vot", "x")
    broken = Program(hub, "Broken", ["table.load.votable"], "samp.error")
    try:
        with pytest.raises(InputError, match=r"no program like 'ds9' .*there are: Broken"):
            send_table(tmp_path / "x.vot", "x", to="ds9")
        with pytest.raises(InputError, match="Broken: out of memory"):
            send_table(tmp_path / "x.vot", "x")
    finally:
        broken.client.disconnect()
