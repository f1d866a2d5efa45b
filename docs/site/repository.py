"""Hook of MkDocs: pages that lie outside docs/, and links to files of the repository."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

#: File of the repository -> its page on the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "lab/README.md": "workshop.md",
    "models/README.md": "default_model.md",
    "training/README.md": "training.md",
}

_LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=os.fspath(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links between files of the repository links between pages.

    A link to a file that is no page, such as a source file, becomes its text: the site has no copy
    of it. One that leads nowhere is left as it is, and MkDocs warns of it.
    """
    here = page.file.src_uri
    source = next((source for source, uri in PAGES.items() if uri == here), f"docs/{here}")

    def on_the_site(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        uri = PAGES.get(wanted) or wanted.removeprefix("docs/")
        if files.get_file_from_path(uri) is not None:
            return f"[{text}]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{anchor})"
        return text if (ROOT / wanted).exists() else link[0]

    return _LINK.sub(on_the_site, markdown)
