"""Reads a folder of .txt, .md, .html and .pdf files as passages that can be indexed."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from orchestra_app.backends.reading import clean
from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Document

SUFFIXES = {".txt", ".md", ".html", ".htm", ".pdf"}
MAX_FILES = 50_000
MAX_FILE = 32_000_000
"""Bytes of the largest file that is read."""
MAX_TEXT = 500_000_000
"""Characters of all files together."""
MAX_PAGES = 5_000
"""Pages of a PDF that are read."""
PASSAGE = 1_200
"""Characters of a passage at most."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the folder, with what tells whether it has changed."""

    path: str
    """Relative to the folder, with forward slashes."""
    size: int
    modified: int
    """Nanoseconds since the epoch."""


@dataclass(slots=True)
class Problems:
    """What could not be read, a sentence each."""

    sentences: list[str] = field(default_factory=list)

    def add(self, path: str, why: str) -> None:
        self.sentences.append(f"{clean(path)} was skipped: {why}.")


def list_folder(folder: Path, problems: Problems) -> list[Entry]:
    """Return the readable files under `folder`, sorted; hidden ones and links that lead out are left out.

    Raises ToolError where the folder does not exist.
    """
    if not folder.is_dir():
        raise ToolError(f"The folder {folder} does not exist; name an existing one in the catalogue.")
    root = folder.resolve()
    found: list[Entry] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: _unlisted(error, problems)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(parent, name)
            if name.startswith(".") or file.suffix.lower() not in SUFFIXES:
                continue
            entry = _entry(file, file.relative_to(folder).as_posix(), root, problems)
            if entry is not None and len(found) == MAX_FILES:
                problems.add(
                    entry.path, f"a folder may hold {MAX_FILES} files, and this and later ones are more"
                )
                return sorted(found, key=lambda each: each.path)
            found += [entry] if entry else []
    return sorted(found, key=lambda each: each.path)


def _unlisted(error: OSError, problems: Problems) -> None:
    problems.add(str(error.filename), f"its folder cannot be listed ({error.strerror})")


def _entry(file: Path, path: str, root: Path, problems: Problems) -> Entry | None:
    try:
        if not file.resolve().is_relative_to(root):
            problems.add(path, "it is a link that leads out of the folder")
        elif not file.is_file():
            problems.add(path, "it is not a plain file")
        elif (stat := file.stat()).st_size > MAX_FILE:
            problems.add(path, f"it is larger than {MAX_FILE // 1_000_000} MB")
        else:
            return Entry(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, RuntimeError) as error:
        problems.add(path, f"it cannot be looked at ({_reason(error)})")
    return None


def read_folder(folder: Path, entries: list[Entry], source: str, problems: Problems) -> list[Document]:
    """Return the passages of the listed files; a file that cannot be read is listed in `problems`."""
    found: list[Document] = []
    total = 0
    for entry in entries:
        try:
            title, text = read_file(folder / entry.path)
        except ToolError as error:
            problems.add(entry.path, str(error))
            continue
        total += len(text)
        if total > MAX_TEXT:
            problems.add(entry.path, f"the files hold more than {MAX_TEXT // 1_000_000} million characters")
            break
        url = clean(entry.path)
        found += [Document(text=each, title=title, source=source, url=url) for each in passages(text)]
    return found


def read_file(file: Path) -> tuple[str, str]:
    """Return the title and the text of one file; raises ToolError with the reason why it cannot be read."""
    try:
        match file.suffix.lower():
            case ".pdf":
                title, text = _read_pdf(file)
            case ".html" | ".htm":
                content = file.read_bytes()
                declared = _CHARSET.search(content[:1024])
                title, text = html_text(decode(content, declared[1].decode() if declared else ""))
            case _:
                text = decode(file.read_bytes())
                heading = re.match(r"\s*#{1,6}[ \t]+(.{1,200})", text)
                title = heading[1].strip() if heading else ""
    except OSError as error:
        raise ToolError(f"it cannot be opened ({_reason(error)})") from None
    if not text.strip():
        raise ToolError("it holds no text")
    return clean(title or file.stem), clean(text)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_HIGH = re.compile(rb"[\x80-\xff]+")


def decode(content: bytes, declared: str = "") -> str:
    """Return bytes as text: UTF-16 where they say so, UTF-8 where they are, then as declared.

    What is neither is read as GB18030, China's own encoding, where many bytes are no ASCII and come in pairs,
    else as Latin-1.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:8192]:
        raise ToolError("it is not text")
    for encoding in _encodings(content, declared):
        try:
            return content.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return content.decode("latin-1")


def _encodings(content: bytes, declared: str) -> Iterator[str]:
    """Yield what bytes may be written in; what takes a look at all of them comes last."""
    yield "utf-8-sig"
    # A page that is none of the Unicode encodings may say all the same that it is.
    if not declared.lower().startswith("utf"):
        yield declared
    runs = [len(run) for run in _HIGH.findall(content)]
    paired = sum(size % 2 == 0 for size in runs) > 0.9 * len(runs)
    if paired and sum(runs) > 0.2 * len(content):
        yield "gb18030"


def _read_pdf(file: Path) -> tuple[str, str]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    # pypdf answers broken files with whatever its parsing stumbles on.
    broken = (PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
    try:
        with PdfReader(file) as reader:
            if reader.is_encrypted and not reader.decrypt(""):
                raise ToolError("it is locked with a password")
            title = str((reader.metadata or {}).get("/Title") or "")
            text = "\n\n".join(page.extract_text() for page in reader.pages[:MAX_PAGES])
    except (*broken, AssertionError, NotImplementedError, RecursionError, ImportError) as error:
        raise ToolError(f"it is not a readable PDF ({type(error).__name__})") from None
    return " ".join(title.split()), text


class _HtmlText(HTMLParser):
    """Gathers the visible text of a page, a line for each block."""

    HIDDEN = {"script", "style", "template", "noscript", "svg"}
    INLINE = {"a", "abbr", "b", "bdi", "cite", "code", "em", "i", "mark", "q", "s", "small", "span", "strong"}
    INLINE |= {"sub", "sup", "time", "u", "var", "font", "kbd", "label", "wbr"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        self._hidden = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title |= tag == "title"
        self._hidden += tag in self.HIDDEN
        if tag not in self.INLINE:
            self.text.append("\n\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.INLINE:
            self.text.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in self.HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        if tag not in self.INLINE:
            self.text.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title and not self._hidden:
            self.title.append(data)
        elif not self._hidden:
            self.text.append(re.sub(r"\s+", " ", data))

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        # The library raises on a section such as `<![;` that it does not know; here its text is passed over.
        return self.rawdata.find(">", i) + 1 or -1


def html_text(page: str) -> tuple[str, str]:
    """Return the title and the visible text of an HTML page."""
    parser = _HtmlText()
    parser.feed(page)
    parser.close()
    blocks = (" ".join(block.split()) for block in "".join(parser.text).split("\n\n"))
    return " ".join("".join(parser.title).split()), "\n\n".join(block for block in blocks if block)


_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


def passages(text: str, size: int = PASSAGE) -> list[str]:
    """Return `text` in passages of at most `size` characters, cut between paragraphs or sentences."""
    found: list[str] = []
    for piece in _pieces(text, size):
        if found and len(found[-1]) + len(piece) + 1 <= size:
            found[-1] += f"\n{piece}"
        else:
            found.append(piece)
    return found


def _pieces(text: str, size: int) -> Iterator[str]:
    for part in re.split(r"\n\s*\n", text):
        paragraph = part.strip()
        if len(paragraph) <= size:
            if paragraph:
                yield paragraph
            continue
        for sentence in _SENTENCE.split(paragraph):
            while len(sentence) > size:
                # A sentence without end is cut at a space where it has one.
                space = sentence.rfind(" ", size // 2, size)
                at = space if space > 0 else size
                yield sentence[:at].strip()
                sentence = sentence[at:].strip()
            if sentence:
                yield sentence
