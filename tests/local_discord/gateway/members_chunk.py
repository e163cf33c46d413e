"""Opcode 8: members that a client asks for by id or by the beginning of their name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local_discord.errors import Json

if TYPE_CHECKING:
    from tests.local_discord.gateway.sessions import Session

GUILD_MEMBERS, LIMIT = 1 << 1, 100


def members_chunk(session: Session, body: Json) -> None:
    """Answers with one GUILD_MEMBERS_CHUNK; a whole list needs the members intent, so without it there is none."""
    guild = session.world.guilds.get(int(body["guild_id"]))
    if guild is None or not session.owns(guild.id):
        return
    ids, query = body.get("user_ids"), str(body.get("query") or "").lower()
    wanted = {int(i) for i in (ids if isinstance(ids, list) else [ids])} if ids else None
    if wanted is None and not query and not session.intents & GUILD_MEMBERS:
        return
    found = [
        member.to_json()
        for member in guild.members.values()
        if (member.id in wanted if wanted is not None else member.user.name.lower().startswith(query))
    ]
    answer: Json = {"guild_id": str(guild.id), "chunk_index": 0, "chunk_count": 1, "nonce": body.get("nonce")}
    answer["not_found"] = [str(i) for i in (wanted or set()) - guild.members.keys()]
    session.send("GUILD_MEMBERS_CHUNK", answer | {"members": found[: int(body.get("limit") or 0) or LIMIT]})
