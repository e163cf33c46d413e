"""Forms: what Discord takes, and what comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.messages.forms import MAX_FIELD, WRITE_FORM, Filled, read_form, write_form
from tests.local_discord.forms.modals import check_modal, fill_modal


def test_a_text_field_takes_what_the_operator_and_discord_allow() -> None:
    async def made(most: int) -> dict[str, Any]:
        form = write_form(3, 40, most)
        assert form.is_finished()  # so that discord.py does not keep it
        return dict(form.to_dict())

    assert asyncio.run(made(1500))["components"][0]["component"]["max_length"] == 1500
    form = asyncio.run(made(6000))
    assert form["components"][0]["component"]["max_length"] == MAX_FIELD
    check_modal(form)
    data = {"custom_id": form["custom_id"], "components": fill_modal(form, {"text": "and then"})}
    assert read_form(data) == Filled(WRITE_FORM, 3, 40, {"text": "and then"})
    data["custom_id"] += ":77"
    assert read_form(data) == Filled(WRITE_FORM, 3, 40, {"text": "and then"}, owner=77)


@pytest.mark.parametrize("custom_id", [None, "", "other", "textbot:write:-1:2", "textbot:write:1:2:3:4"])
def test_forms_of_others_are_none(custom_id: str | None) -> None:
    assert read_form({"custom_id": custom_id, "components": []}) is None


def test_rows_and_lists_are_read_too() -> None:
    parts = [
        {"type": 1, "components": [{"type": 4, "custom_id": "a", "value": "x"}]},
        {"type": 18, "component": {"type": 3, "custom_id": "b", "values": ["y"]}},
        {"type": 18, "component": {"type": 3, "custom_id": "c", "values": []}},
    ]
    assert read_form({"custom_id": "textbot:settings", "components": parts}) == Filled(
        "textbot:settings", 0, 0, {"a": "x", "b": "y", "c": ""}
    )
