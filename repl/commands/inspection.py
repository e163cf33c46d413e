"""The commands that show the network think: next tokens, a text by surprisal, the hidden state, the model's card."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import engine
from repl.commands.command import Command
from repl.session.answers import Answer, Walk
from repl.session.session import Session
from repl.session.story_files import read_story
from repl.settings import changed_settings, shown_values

CHOOSING = (  # settings that change what is likely
    "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "dry_multiplier", "xtc_probability", "bias",
)  # fmt: skip
FILE_NAME = re.compile(r"(~|\.{0,2})/\S*|\S*\w\.(txt|md|text)")
OTHERS = 9  # tokens that are shown beside the one that stands at a place
MAX_HEAT = 4000  # characters that are shown in colors; the figures are of all


def why(session: Session, argument: str) -> Answer:
    """Show the likeliest next tokens: the model's probabilities, and those after the settings."""
    from repl.view.pictures import chances

    count = 10
    if argument:
        if argument not in map(str, range(1, 51)):
            raise ValueError(f"why {argument!r}: give a number of tokens, from 1 to 50")
        count = int(argument)
    size, story = session.model.info.vocabulary_size, session.story
    columns = {f"with {_choosing(session.sampling)}": dict(story.next_tokens(size, session.sampling))}
    before = story.next_tokens(count)
    if session.sampling.memory != "off":
        mixed = engine.Sampling(temperature=1, memory=session.sampling.memory)
        columns = {"with the memory": dict(likely := story.next_tokens(size, mixed)), **columns}
        known = {token for token, _ in before}
        before = [*before, *((token, 0.0) for token, _ in likely[:count] if token not in known)][: 2 * count]
        alone = dict(story.next_tokens(size))
        before = [(token, alone.get(token, 0.0)) for token, _ in before]
    return Answer(chances(before, columns, session.columns), is_asked_for=True)


def heat(session: Session, argument: str) -> Answer:
    """Color a text, or the story, by surprisal in bits, and tell its mean and perplexity."""
    from repl.view import pictures

    text = engine.decoded(_given_text(argument)) if argument else session.story.text
    if not text:
        raise ValueError("there is no text yet: give one, or a file, as in '/heat chapter.txt'")
    score = _score(session, text, is_story=not argument)
    ids = [None, *score.tokens[:MAX_HEAT].tolist()]
    tokens = [session.model.vocabulary.shown(token, before) for before, token in itertools.pairwise(ids)]
    colored = pictures.heat(tokens, score.surprisal_bits[:MAX_HEAT].tolist())
    more = f" (its first {MAX_HEAT:,} are shown)" if len(score.tokens) > MAX_HEAT else ""
    figures = (
        f"{score.bits_per_character:.3f} bits a character over {score.characters:,}{more}, "
        f"perplexity {score.perplexity:.2f}\n{_gain(score)}"
    )
    return Answer(picture=(*colored, ("", "\n"), ("note", figures), *pictures.heat_legend()))


def walk(session: Session, argument: str) -> Answer:
    """Walk over a turn token by token, and take another one somewhere."""
    story = session.story
    turns = [turn for turn in story.turns if turn.kind != "memory" and turn.tokens]
    if argument:
        turns = [turn for turn in story.tree if str(turn.id) == argument]
        if not turns:
            raise ValueError(
                f"walk {engine.first_words(argument, 40)!r}: give a turn's number; /tree shows those that there are"
            )
        if turns[0].kind == "memory":
            raise ValueError(
                f"walk {argument}: this text is remembered, the network never read it; give the number of a text or a "
                "reply that /tree shows"
            )
    elif not turns:
        raise ValueError("there is nothing to walk over yet: write something first")
    turn = turns[-1].id
    places = story.walk(turn, OTHERS)
    if not places:
        raise ValueError(f"walk: turn {turn} is empty")

    def take(place: int, token: engine.Token) -> Answer:
        return session.write("branch", "", replace(session.drawing, seed=None), (turn, place, token.id))

    return Answer(walk=Walk(places, take))


def state(session: Session, argument: str) -> Answer:
    """Draw the network's hidden state after the present turn."""
    import numpy as np

    from repl.view.pictures import state_picture

    turns = session.story.turns
    if not turns:
        raise ValueError("nothing was read yet, so the state is all zeros: write something first")
    info = session.model.info
    vector = turns[-1].checkpoint.state
    layers = np.split(vector, len(vector) // info.units) if len(vector) % info.units == 0 else [vector]
    return Answer(picture=state_picture(layers, session.columns, session.has_color))


def model(session: Session, argument: str) -> Answer:
    """Show the model's card, or change to another model."""
    if argument:
        return session.change_model(argument)
    from repl.view.pictures import curve

    info = session.model.info
    lines = [
        f"{info.name}: {info.layers} x {info.units} {info.cell.upper()}, {info.parameters:,} parameters, "
        f"{info.vocabulary_size} {info.level} tokens",
        f"{info.state_bytes:,} bytes of memory a conversation; runs on {info.backend} in {info.precision}",
    ]
    try:
        about = engine.about(session.source)
    except engine.EngineError:
        return Answer("\n".join(lines))
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", about.card, re.MULTILINE)
    lines += [f"{name.strip()}: {text.strip()}" for name, text in rows if name.strip(" -")]
    if sample := re.search(r"A sample[^\n]*\n+```\n(.*?)```", about.card, re.DOTALL):
        lines += ["", "a sample:", *sample[1].rstrip().splitlines()[:6]]
    if drawn := curve(about.losses, session.columns):
        lines += ["", drawn]
    if session.sampling.memory != "off" and session.story.text:
        lines.append(_gain(_score(session, session.story.text, is_story=True)).rstrip())
    return Answer("\n".join(lines), is_asked_for=True)


def _score(session: Session, text: str, *, is_story: bool) -> engine.Score:
    """How surprising a text is; with the memory, if it is on, and the story with what it remembers."""
    memory = "off" if session.sampling.memory == "off" else "all"
    remembered = [turn.text for turn in session.story.turns if turn.kind == "memory"] if is_story else []
    with session.progress.during(f"reading {len(text):,} characters"):
        return session.model.score(text, session.progress.update, memory=memory, remembered=remembered)


def _gain(score: engine.Score) -> str:
    """What the memory gained, in a line; nothing where it was off."""
    if score.alone is None:
        return ""
    alone = score.alone.bits_per_character
    return f"the memory is in that: without it {alone:.3f} bits a character\n"


def models(session: Session, argument: str) -> Answer:
    """List the models, the present one marked."""
    present = session.model.info.name
    lines = [f"{'*' if name == present else ' '} {name}" for name in engine.model_names()]
    if present not in engine.model_names():
        lines.append(f"* {present} ({session.source})")
    return Answer("\n".join([*lines, "'/model NAME' changes to another one, by name or by its folder"]))


def _choosing(sampling: engine.Sampling) -> str:
    return shown_values({name: value for name, value in changed_settings(sampling).items() if name in CHOOSING})


def _given_text(argument: str) -> str:
    """The text of the file of that name, or else the argument itself. Raises `ValueError` if the file is missing."""
    try:
        path = Path(argument).expanduser()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):  # too long for a name, or no name at all
        return argument
    if not is_file and FILE_NAME.fullmatch(argument):
        raise ValueError(
            f"there is no file {engine.visible(argument)}: give a file that is there, or a text of more than one word"
        )
    return read_story(path) if is_file else argument


COMMANDS = {
    "why": Command("[N]", "the N likeliest next tokens (10), before and after your settings", why),
    "heat": Command("[TEXT|FILE]", "a text, or the story, colored by how surprising each character is", heat, "file"),
    "walk": Command("[N]", "go over the last turn, or turn N, token by token, and take another one (Alt-W)", walk),
    "state": Command("", "the network's whole memory of the story, drawn", state),
    "model": Command("[NAME]", "the model's card, or another model, which reads the story", model, "model"),
    "models": Command("", "the models that there are", models),
}
