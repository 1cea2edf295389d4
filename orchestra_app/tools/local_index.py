"""Finds passages by BM25 in a folder of files or in given documents; the index is built once and kept."""

import asyncio
import hashlib
import json
import logging
import os
import re
import shutil
import threading
import unicodedata
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bm25s import BM25
from bm25s.stopwords import STOPWORDS_EN

from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Document
from orchestra_app.tools.folder import Entry, Problems, list_folder, read_folder

FORMAT = 2
"""Raised when files are read, cut or split into words in another way, so that old indexes are not used."""
STOPWORDS = frozenset(STOPWORDS_EN)
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORDS = re.compile(rf"([{_CJK}]+)|[^\W_{_CJK}]+")


def words(text: str) -> list[str]:
    """Return the index terms of a text: words; of Han, Kana and Hangul, single characters and pairs."""
    found: list[str] = []
    for word in _WORDS.finditer(unicodedata.normalize("NFKC", text).casefold()):
        run = word[0]
        if word[1] is None:
            if run not in STOPWORDS:
                found.append(run)
            continue
        found.extend(run)
        found.extend(run[index : index + 2] for index in range(len(run) - 1))
    return found


class LocalIndex:
    """The passages of one local source and their BM25 index, opened at the first search."""

    def __init__(
        self,
        source: str,
        *,
        folder: Path | None = None,
        documents: Sequence[Document] = (),
        cache: Path | None = None,
    ):
        """Take a folder, or documents that are searched as they are.

        cache: the folder where the index of a folder is kept; None: it is built anew in every process.
        """
        self.source = source
        self.problems: tuple[str, ...] = ()
        """Why files were left out, a sentence each; known once the index is open."""
        self._folder = folder
        self._cache = cache
        self._documents = [_from(source, document) for document in documents]
        self._bm25: BM25 | None = None
        self._opened = False
        self._lock = threading.Lock()
        self._opening: asyncio.Task[None] | None = None

    async def search(self, query: str, top: int, *, seconds: float | None = None) -> list[Document]:
        """Return at most `top` passages that share a word with `query`, the best first.

        Raises ToolError where the index does not open within `seconds` or its folder is gone.
        """
        if not self._opened:
            try:
                await asyncio.wait_for(asyncio.shield(self._open_in_thread()), seconds)
            except TimeoutError:
                raise ToolError(
                    f"The index of {self.source} is still being built; search again in a moment."
                ) from None
        return self.find(query, top)

    def _open_in_thread(self) -> asyncio.Task[None]:
        """Return the opening under way, or a new one: all searches wait for one thread, not in one each."""
        opening = self._opening
        if opening is None or opening.done() or opening.get_loop() is not asyncio.get_running_loop():
            opening = self._opening = asyncio.create_task(asyncio.to_thread(self.open))
            # Where every search has given up, nobody else asks how it ended.
            opening.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return opening

    def find(self, query: str, top: int) -> list[Document]:
        """Return what `search` returns, of an index that is open."""
        if self._bm25 is None:
            return []
        terms = self._bm25.get_tokens_ids(words(query))
        if not terms:
            return []
        scores = self._bm25.get_scores_from_ids(terms)
        some = min(top, len(scores))
        best = np.argpartition(scores, -some)[-some:]
        # Equal scores go by position, so that equal queries give equal results.
        order = sorted(best.tolist(), key=lambda index: (-scores[index], index))
        return [self._documents[index] for index in order if scores[index] > 0]

    def open(self, *, build: bool = True) -> None:
        """Load the kept index or build it; safe in several threads and processes at once.

        build: where False, an index that is not kept stays closed.
        """
        with self._lock:
            if self._opened:
                return
            if self._folder is None:
                self._bm25 = _build(self._documents)
                self._opened = True
            else:
                self._opened = self._open_folder(self._folder, build)

    def _open_folder(self, folder: Path, build: bool) -> bool:
        problems = Problems()
        entries = list_folder(folder, problems)
        kept = self._cache / _key(folder, self.source, entries) if self._cache else None
        loaded = _load(kept) if kept else None
        if loaded:
            self._documents, self._bm25, read = loaded
            self.problems = (*problems.sentences, *read)
            return True
        if not build:
            return False
        unreadable = Problems()
        self._documents = read_folder(folder, entries, self.source, unreadable)
        self._bm25 = _build(self._documents)
        if kept:
            _save(kept, self._documents, self._bm25, unreadable.sentences)
        self.problems = (*problems.sentences, *unreadable.sentences)
        return True


def _from(source: str, document: Document) -> Document:
    return document.model_copy(update={"source": source})


def _build(documents: list[Document]) -> BM25 | None:
    terms = [words(f"{document.title} {document.text}") for document in documents]
    if not any(terms):
        return None
    # bm25s asks for its own DEBUG lines when it is loaded.
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    bm25 = BM25(backend="numpy")
    bm25.index(terms, show_progress=False)
    return bm25


def _key(folder: Path, source: str, entries: list[Entry]) -> str:
    """Return the name of an index: one half for its folder, one for the state of its files."""
    place = hashlib.sha256(f"{FORMAT}\0{source}\0{folder.resolve()}".encode()).hexdigest()[:16]
    files = "\n".join(f"{entry.path}\0{entry.size}\0{entry.modified}" for entry in entries)
    return f"{place}-{hashlib.sha256(files.encode(errors='surrogateescape')).hexdigest()[:16]}"


def _save(kept: Path, documents: list[Document], bm25: BM25 | None, problems: list[str]) -> None:
    """Keep an index under its final name only when it is whole; without room for it, it is not kept."""
    made = kept.parent / f".{kept.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    content = {
        "terms": len(bm25.vocab_dict) if bm25 else 0,
        "problems": problems,
        "documents": [document.model_dump() for document in documents],
    }
    try:
        made.mkdir(parents=True)
        (made / "documents.json").write_text(json.dumps(content), encoding="utf-8")
        if bm25:
            bm25.save(made, show_progress=False)
        if kept.exists():
            shutil.rmtree(kept, ignore_errors=True)
        made.rename(kept)
    except OSError:
        # The disk is full or read-only, or another process was faster with the same index.
        shutil.rmtree(made, ignore_errors=True)
        return
    for other in kept.parent.glob(f"{kept.name[:16]}-*"):
        if other != kept:
            shutil.rmtree(other, ignore_errors=True)


def _load(kept: Path) -> tuple[list[Document], BM25 | None, list[str]] | None:
    """Return a kept index, or None where there is none or it is damaged."""
    try:
        content = json.loads((kept / "documents.json").read_text(encoding="utf-8"))
        documents = [Document.model_validate(each) for each in content["documents"]]
        bm25 = BM25.load(kept) if content["terms"] else None
        stated = (len(bm25.vocab_dict), bm25.scores["num_docs"]) if bm25 else None
        if stated and stated != (content["terms"], len(documents)):
            return None
        return documents, bm25, list(content["problems"])
    except (OSError, ValueError, LookupError, TypeError, EOFError):
        return None
