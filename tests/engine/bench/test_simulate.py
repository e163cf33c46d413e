"""What measures very many people, on a few."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.bench.simulate import filled_store, simulate_members, simulate_store
from engine.serving.engine import Engine


def test_a_filled_store_has_whole_conversations_of_their_own(tiny: Engine, tmp_path: Path) -> None:
    talk = tiny.conversation()
    talk.say("ab", length=20).result()
    with filled_store(tmp_path, talk, 12) as store:
        assert len(store.names()) == 13
        one, other = store.open(tiny, "channel 0"), store.open(tiny, "channel 11")
        assert one.text == other.text == talk.text
        one.say("x", length=0).result()
        store.save(one, "channel 0")
        assert store.open(tiny, "channel 11").text == talk.text


def test_a_store_of_any_size_is_measured(tiny: Engine, tmp_path: Path) -> None:
    told: list[str] = []
    figures = simulate_store(tiny, 10, tmp_path, told.append)
    assert figures["bytes_each"] > tiny.info.state_bytes
    assert 0 < figures["open_ms"] <= figures["open_ms_99"]
    assert told[0].startswith("10 stored conversations")


def test_members_in_bursts_all_get_their_reply(tiny: Engine) -> None:
    told: list[str] = []
    figures = asyncio.run(simulate_members(tiny, 8, 2, 0.1, told.append))
    assert figures["members"] == 8
    assert figures["characters_per_second"] > 0
    assert figures["refusals"] == 0
    assert told[0].startswith("8 members in 2 bursts")
