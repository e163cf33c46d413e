"""Discord's permission bits and how roles and overwrites of a channel add up for one member."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.local_discord.world.channels import Channel
    from tests.local_discord.world.guilds import Guild


class Permission(IntFlag):
    """The bits that a bot such as ours can meet."""

    KICK_MEMBERS = 1 << 1
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38


NONE = Permission(0)
ALL = Permission((1 << 50) - 1)
P = Permission
ORDINARY = (
    P.VIEW_CHANNEL
    | P.SEND_MESSAGES
    | P.EMBED_LINKS
    | P.ATTACH_FILES
    | P.READ_MESSAGE_HISTORY
    | P.ADD_REACTIONS
    | P.USE_APPLICATION_COMMANDS
    | P.CREATE_PUBLIC_THREADS
    | P.CREATE_PRIVATE_THREADS
    | P.SEND_MESSAGES_IN_THREADS
    | P.USE_EXTERNAL_EMOJIS
)
IN_DM = ORDINARY & ~(P.CREATE_PUBLIC_THREADS | P.CREATE_PRIVATE_THREADS) | P.MENTION_EVERYONE
NEEDS_SENDING = P.MENTION_EVERYONE | P.ATTACH_FILES | P.EMBED_LINKS | P.SEND_TTS_MESSAGES


def guild_permissions(guild: Guild, member_id: int) -> Permission:
    """What the member's roles allow in the whole guild."""
    if member_id == guild.owner.id:
        return ALL
    granted = guild.everyone.permissions
    for role in guild.members[member_id].roles:
        granted |= role.permissions
    return ALL if granted & P.ADMINISTRATOR else granted


def channel_permissions(channel: Channel, member_id: int) -> Permission:
    """What the member may do in the channel; a thread asks its parent, a direct message has a fixed set."""
    guild = channel.guild
    if guild is None:
        return IN_DM
    granted = guild_permissions(guild, member_id)
    if granted & P.ADMINISTRATOR:
        return granted
    overwrites = (channel.parent or channel).overwrites
    for layer in _layers(guild, member_id):
        found = [overwrites[key] for key in layer if key in overwrites]
        for _, deny in found:
            granted &= ~deny
        for allow, _ in found:
            granted |= allow
    return _implied(granted, channel)


def _layers(guild: Guild, member_id: int) -> list[list[int]]:
    """Ids whose overwrites apply, one layer after the other: everyone, then roles together, then the member."""
    return [[guild.id], [role.id for role in guild.members[member_id].roles], [member_id]]


def _implied(granted: Permission, channel: Channel) -> Permission:
    """What falls away with a missing basic permission."""
    if not granted & P.VIEW_CHANNEL:
        return NONE
    send = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    return granted if granted & send else granted & ~NEEDS_SENDING
