from __future__ import annotations

import io

from prompt_toolkit.data_structures import Size
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from repl.view.display import Display
from repl.view.layout import Pace


def display(columns: int = 40) -> tuple[Display, io.StringIO]:
    stream = io.StringIO()
    return Display(Vt100_Output(stream, lambda: Size(rows=24, columns=columns), term="dumb"), {}, "> "), stream


def moving(shown: Display) -> str:
    return "".join(text for _, text in shown.moving())


def test_a_paragraph_moves_until_it_is_whole() -> None:
    shown, stream = display()
    assert shown.write(Pace(0, 0.0), "one\ntwo") == ""
    assert "one" in stream.getvalue()
    assert moving(shown) == "two\n"
    shown.finish("!")
    assert "two!" in stream.getvalue()
    assert moving(shown) == ""


def test_a_speakers_name_is_a_note_while_the_line_moves_and_is_cut_to_a_third_of_the_width() -> None:
    shown, stream = display(24)
    shown.begin("Ann: X\x1b[31m of the long name")
    assert shown.write(Pace(0, 0.0), "hi") == ""
    assert shown.moving() == (("note", "Ann:...: "), ("", "hi\n"))
    shown.write(Pace(0, 0.0), " you\nAnn:...: too")
    assert "\x1b[0;2mAnn:...: \x1b[0mhi you\r\n" in stream.getvalue()
    assert shown.moving()[0] == ("note", "")
    shown.finish("")
    assert "\x1b[31m" not in stream.getvalue()


def test_several_texts_are_previewed_and_not_printed() -> None:
    shown, stream = display(80)
    shown.preview(["left", "right"])
    assert any("left" in row and "right" in row for row in moving(shown).splitlines())
    shown.preview([])
    assert moving(shown) == ""
    assert stream.getvalue() == ""


def test_nothing_that_is_printed_acts_on_the_terminal() -> None:
    shown, stream = display()
    shown.echo("typed \x1b[2J", "> ")
    shown.note("a message \x07 of " + "many words " * 9)
    assert "> typed \ufffd[2J" in stream.getvalue()
    assert "\x07" not in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= 60


def test_a_theme_colors_what_is_printed_from_now_on_and_own_looks_go_before_it() -> None:
    stream = io.StringIO()
    output = Vt100_Output(stream, lambda: Size(rows=24, columns=40), default_color_depth=ColorDepth.TRUE_COLOR)
    shown = Display(output, {"note": "#010203"}, "> ")
    shown.show_theme("dark-blue")
    shown.echo("typed", "> ")
    shown.note("told")
    assert "38;2;138;180;248m> typed" in stream.getvalue()
    assert "38;2;1;2;3mtold" in stream.getvalue()
    shown.show_theme("terminal")
    shown.echo("typed", "> ")
    assert "\x1b[0;35m> typed" in stream.getvalue()
