"""The cells of a notebook in the order in which a page is read, and the page's list of contents.

A notebook runs from its parameters to its results; a reader wants the result first and the parameters last. Tags of
cells say which: `page-start` and `page-end`.
"""

import re
from collections.abc import Sequence

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

START, END = "page-start", "page-end"
_ABOUT = "## About this page\n\n"
_TITLE = re.compile(r"#[ \t]+\S[^\n]*")
_HEADING = re.compile(r'<h([1-3]) id="([^"]*)">(.*?)<a class="anchor-link"', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")

STYLE = """\
<style>
main { max-width: 1480px; margin: 0 auto; }
.jp-InputPrompt, .jp-OutputPrompt { display: none; }
.jp-RenderedMarkdown { max-width: 1000px; }
.contents { font: 14px/1.35 system-ui, sans-serif; color: #222; }
.contents ul { list-style: none; margin: 0.5rem 0; padding: 0; }
.contents li { margin: 0; }
.contents a { display: block; padding: 0.25rem 0.5rem; color: inherit; text-decoration: none; border-radius: 4px; }
.contents a:hover, .contents a:focus-visible { background: #e7eef7; text-decoration: underline; }
.contents .level-1 { font-weight: 600; }
.contents .level-3 { padding-left: 1rem; }
nav.contents { display: none; }
details.contents { margin: 0.75rem 1rem; padding: 0.5rem 0.75rem; border: 1px solid #ccc; border-radius: 6px; }
details.contents summary { cursor: pointer; font-weight: 600; }
.jp-RenderedImage img { cursor: zoom-in; height: auto; }
.jp-RenderedImage:has(img:focus) { overflow-x: auto; }
.jp-RenderedImage img:focus { max-width: none; cursor: auto; outline: 2px solid #0072b2; }
@media (min-width: 1100px) {
  details.contents { display: none; }
  nav.contents { display: block; position: fixed; inset: 0 auto 0 0; width: 15rem; overflow-y: auto;
    box-sizing: border-box; padding: 1rem 0.5rem; border-right: 1px solid #ddd; background: #fafafa; }
  main { margin-left: max(16rem, calc((100vw - 1480px) / 2)); margin-right: 1rem; }
}
@media print {
  nav.contents, details.contents { display: none; }
  main { margin: 0 auto; }
}
</style>
"""


def in_reading_order(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Title, cells that begin the page, the others, cells that end it.

    Where cells begin the page, what stands under the title comes after them, under a heading of its own.
    """
    first = next((place for place, cell in enumerate(cells) if _is_titled(cell)), -1)
    begin, end = ([cell for cell in cells[first + 1 :] if tag in _tags(cell)] for tag in (START, END))
    others = [cell for cell in cells[first + 1 :] if not {START, END} & _tags(cell)]
    head = list(cells[: first + 1])
    if first >= 0 and begin:
        title, _, about = head[-1].source.strip().partition("\n")
        titled, about = head[-1], about.strip()
        head[-1] = new_markdown_cell(title, id=titled.id)
        begin += [new_markdown_cell(_ABOUT + about, id=f"{titled.id}-about")] if about else []
    return [*head, *begin, *others, *end]


def with_contents(html: str) -> str:
    """A page with a list of its headings: at its side in a wide window, folded on top in a narrow one."""
    links = "\n".join(
        f'<li class="level-{level}"><a href="#{place}">{_plain(text)}</a></li>'
        for level, place, text in _HEADING.findall(html)
    )
    if not links:
        return html
    return html.replace(
        "<main>",
        f'<nav class="contents" aria-label="Contents">\n<ul>\n{links}\n</ul>\n</nav>\n'
        f'<details class="contents">\n<summary>Contents</summary>\n<ul>\n{links}\n</ul>\n</details>\n<main>',
        1,
    )


def _is_titled(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and _TITLE.match(cell.source.strip()) is not None


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def _plain(heading: str) -> str:
    """A heading as it is rendered, without the marks in it; its text stays escaped."""
    return " ".join(_TAG.sub("", heading).split())
