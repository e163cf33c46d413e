"""Scripts that complete the flags of `textrepl` in a shell, made from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

BASH = """\
_textrepl() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    case "$before" in
{choices}        {taking}) return ;;
    esac
    if [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "{flags}" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _textrepl textrepl
"""
ZSH = """\
#compdef textrepl
_textrepl() {{
    _arguments -s \\
{lines}
        '1:model:_files'
}}
if [[ "$funcstack[1]" == _textrepl ]]; then _textrepl "$@"; else compdef _textrepl textrepl; fi
"""


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for "bash", "zsh" or "fish"."""
    options = [action for action in parser._actions if action.option_strings]
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](options).rstrip("\n")


def _bash(options: Sequence[argparse.Action]) -> str:
    flags = [flag for option in options for flag in option.option_strings]
    choices = "".join(
        f'        {option.option_strings[-1]}) COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;\n'
        for option in options
        if (words := " ".join(option.choices or ()))
    )
    taking = "|".join(option.option_strings[-1] for option in options if option.nargs is None and not option.choices)
    return BASH.format(choices=choices, taking=taking, flags=" ".join(flags))


def _zsh(options: Sequence[argparse.Action]) -> str:
    lines = []
    for option in options:
        value = "" if option.nargs == 0 else f":value:({' '.join(option.choices)})" if option.choices else ":value:"
        lines += [f"        {_quoted(f'{flag}[{_plain(option)}]{value}')} \\" for flag in option.option_strings]
    return ZSH.format(lines="\n".join(lines))


def _fish(options: Sequence[argparse.Action]) -> str:
    lines = []
    for option in options:
        names = " ".join(
            f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.option_strings
        )
        value = "" if option.nargs == 0 else f" -x -a '{' '.join(option.choices)}'" if option.choices else " -x"
        lines.append(f"complete -c textrepl {names}{value} -d {_quoted(_plain(option))}")
    return "\n".join(lines)


def _plain(option: argparse.Action) -> str:
    return (option.help or "").replace("[", "(").replace("]", ")").replace(":", ",")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
