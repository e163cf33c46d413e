"""What the documents say about the code, as far as a test can tell."""

from __future__ import annotations

import itertools
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import engine
from engine.settings import Sampling

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The file and the heading that each link within the project names."""
    for path, anchor in LINK.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)):
        if not path.startswith(("http://", "https://", "mailto:")):
            yield (page.parent / path if path else page), anchor


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_of_settings_is_as_fresh_as_the_table() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "settings.py"))["page"]()
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == made, "docs/settings.md is stale: run 'python docs/settings.py'"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        assert path.exists(), f"{page.name} links to {path}"
        assert not anchor or anchor in anchors(path), f"{page.name} links to {path.name}#{anchor}"


def test_the_readmes_picture_moves_is_small_and_is_one_frame_where_nothing_moves() -> None:
    (name,) = re.findall(r'<img src="(docs/[^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
    path = ROOT / name
    assert path.stat().st_size < 1_000_000
    root = ElementTree.parse(path).getroot()
    frames = [group for group in root.iter("{http://www.w3.org/2000/svg}g") if group.get("class") == "f"]
    assert len(frames) > 20
    assert len([frame for frame in frames if frame.get("visibility") != "hidden"]) == 1
    style = path.read_text(encoding="utf-8")
    assert all(f"@keyframes {frame.get('id')}{{" in style for frame in frames)
    assert "prefers-reduced-motion" in style


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 140


def test_the_page_of_the_engine_describes_every_name_and_no_other() -> None:
    page = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    assert [name for name in engine.__all__ if not re.search(rf"\b{name}\b", page)] == []
    for text in (page, (ROOT / "README.md").read_text(encoding="utf-8")):
        named = set(re.findall(r"\bengine\.([A-Za-z_]+)\(", text)) - {"load"}
        assert sorted(named - {*engine.__all__}) == []
    owners = {name: getattr(engine, name) for name in ("Engine", "Conversation", "Store", "Reply", "Texts", "Sampling")}
    made = {"Engine": {"info", "vocabulary"}, "Reply": {"unseen", "feeding"}}  # by `__init__`
    for owner, name in re.findall(rf"`({'|'.join(owners)})\.(\w+)", page):
        assert hasattr(owners[owner], name) or name in made[owner], f"{owner}.{name}"
    assert [name for name in Sampling.__dataclass_fields__ if f"`{name}`" not in page] == []


def modules_of_the_architecture() -> Iterator[str]:
    """The paths that the tables of docs/architecture.md name, below a heading or a table's head that names a folder."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = text[text.index("## Folders and files") : text.index("### tests/")].splitlines()
    top = folder = ""
    for line, after in itertools.pairwise(lines):
        names = re.findall(r"`([\w/.]+)`", line.split("|")[1]) if line.startswith("|") else []
        if line.startswith("### "):
            top = line.removeprefix("### ").partition(":")[0]
        elif after.startswith("| ---"):
            folder = names[0] if names else ""
        elif names and names[0].endswith(".py"):
            inner = names[0].rpartition("/")[0]
            for name in names:
                yield str(Path(top, folder, "" if "/" in name else inner, name))


def test_the_architecture_names_every_module_in_its_folder() -> None:
    modules = {path.relative_to(ROOT) for name in ("engine", "repl", "bot") for path in (ROOT / name).rglob("*.py")}
    named = set(modules_of_the_architecture())
    entries = {str(path) for path in modules if path.name in ("__init__.py", "__main__.py")}
    assert sorted(named - set(map(str, modules))) == [], "these are named, and not there"
    assert sorted(set(map(str, modules)) - entries - named) == [], "these are there, and not named"
