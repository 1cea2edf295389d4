import asyncio
import json
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfWriter

from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Document
from orchestra_app.tools import local_index
from orchestra_app.tools.folder import PASSAGE, Problems, decode, html_text, list_folder, passages, read_file
from orchestra_app.tools.local_index import LocalIndex, words


def pdf(text: str, *, title: str = "", password: str = "") -> bytes:
    """Return a PDF of one page, written by hand."""
    stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (%s) >>" % title.encode(),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    (root / "deep" / "deeper").mkdir(parents=True)
    (root / "tower.txt").write_text("The tower of Velm is 48 metres tall.", encoding="utf-8")
    (root / "notes.md").write_text("# Gardens of Orsk\n\nRoses grow there.", encoding="utf-8")
    (root / "page.html").write_text(
        "<html><head><title>The  Mill</title><script>var secret = 'scripted';</script></head>"
        "<body><p>The mill grinds <b>barl</b>ey &amp; oats.</p><style>p{}</style><p>Daily</p></body></html>",
        encoding="utf-8",
    )
    (root / "deep" / "deeper" / "bridge.pdf").write_bytes(pdf("The bridge opened in 1911", title="Bridges"))
    (root / "塔.txt").write_text("北京的钟楼高四十七米。東京タワーは赤い。서울의 탑", encoding="utf-8")
    (root / "café.txt").write_bytes("Crème brûlée".encode("latin-1"))
    (root / ".hidden.txt").write_text("hidden words", encoding="utf-8")
    (root / "picture.png").write_bytes(b"\x89PNG words")
    return root


async def found(index: LocalIndex, query: str, top: int = 3) -> list[str]:
    return [document.url for document in await index.search(query, top)]


@pytest.mark.parametrize(
    ("query", "url", "title"),
    [
        ("How tall is the TOWER of Velm?", "tower.txt", "tower"),
        ("roses", "notes.md", "Gardens of Orsk"),
        ("barley and oats", "page.html", "The Mill"),
        ("bridge 1911", "deep/deeper/bridge.pdf", "Bridges"),
        ("钟楼有多高", "塔.txt", "塔"),
        ("タワー", "塔.txt", "塔"),
        ("ﾀﾜｰ", "塔.txt", "塔"),
        ("서울", "塔.txt", "塔"),
        ("creme or crème", "café.txt", "café"),
    ],
)
async def test_every_kind_of_file_and_script_is_found(folder, query, url, title):
    documents = await LocalIndex("library", folder=folder).search(query, 3)
    assert (documents[0].url, documents[0].title, documents[0].source) == (url, title, "library")


@pytest.mark.parametrize(
    "query", ["hidden", "scripted", "PNG", "", "   ", "the of and", "?!", "zzzz", "\ud800"]
)
async def test_what_shares_no_word_or_is_not_to_be_read_is_not_found(folder, query):
    assert await found(LocalIndex("library", folder=folder), query) == []


async def test_no_more_than_top_come_the_best_first():
    documents = [Document(text=f"apple {'pear ' * index}", url=str(index)) for index in range(9)]
    index = LocalIndex("given", documents=documents)
    assert await found(index, "apple", 3) == ["0", "1", "2"]
    assert len(await found(index, "apple", 99)) == 9
    assert (await index.search("apple", 1))[0].source == "given"


async def test_an_empty_collection_finds_nothing(tmp_path):
    assert await found(LocalIndex("empty"), "word") == []
    assert await found(LocalIndex("empty", folder=tmp_path, cache=tmp_path / "cache"), "word") == []
    assert await found(LocalIndex("blank", documents=[Document(text="?!")]), "word") == []


async def test_a_missing_folder_is_told_as_such(tmp_path):
    with pytest.raises(ToolError, match="does not exist"):
        await found(LocalIndex("library", folder=tmp_path / "none"), "word")


async def test_unreadable_files_are_skipped_with_a_sentence(folder, tmp_path):
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nonsense")
    (folder / "cut.pdf").write_bytes(pdf("half of it")[:200])
    (folder / "binary.txt").write_bytes(b"words\0words")
    (folder / "empty.md").write_text("\n")
    locked = PdfWriter()
    locked.add_blank_page(100, 100)
    locked.encrypt("secret", algorithm="RC4-128")
    locked.write(folder / "locked.pdf")
    (tmp_path / "outside.txt").write_text("outside words")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "away").symlink_to(tmp_path, target_is_directory=True)
    (folder / "loop.txt").symlink_to("loop.txt")
    os.mkfifo(folder / "pipe.txt")
    index = LocalIndex("library", folder=folder)
    assert await found(index, "outside words") == []
    assert await found(index, "tower") == ["tower.txt"]
    skipped = {sentence.split(" was skipped: ")[0] for sentence in index.problems}
    assert skipped == {
        "binary.txt", "broken.pdf", "cut.pdf", "empty.md", "link.txt", "locked.pdf", "loop.txt", "pipe.txt"
    }  # fmt: skip
    assert all(sentence.endswith(".") for sentence in index.problems)


def test_files_beyond_the_bounds_are_left_out(tmp_path):
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(33_000_000)
    problems = Problems()
    assert list_folder(tmp_path, problems) == []
    assert problems.sentences == ["huge.txt was skipped: it is larger than 32 MB."]


async def test_a_kept_index_is_used_until_a_file_changes(folder, tmp_path):
    cache = tmp_path / "cache"
    (folder / "empty.md").write_text("")
    first = LocalIndex("library", folder=folder, cache=cache)
    assert await found(first, "tower") == ["tower.txt"]
    (kept,) = cache.iterdir()
    content = json.loads((kept / "documents.json").read_text())
    for document in content["documents"]:
        document["text"] += " (kept)"
    (kept / "documents.json").write_text(json.dumps(content))
    second = LocalIndex("library", folder=folder, cache=cache)
    assert (await second.search("tower", 1))[0].text.endswith("(kept)")
    assert second.problems == first.problems != ()

    (folder / "tower.txt").write_text("The tower of Velm fell down.")
    third = LocalIndex("library", folder=folder, cache=cache)
    assert (await third.search("tower", 1))[0].text == "The tower of Velm fell down."
    (renewed,) = cache.iterdir()
    assert renewed != kept


@pytest.mark.parametrize(
    "name", ["documents.json", "vocab.index.json", "params.index.json", "data.csc.index.npy"]
)
@pytest.mark.parametrize("content", [b"", b"{}", None])
async def test_a_damaged_index_is_built_anew(folder, tmp_path, name, content):
    cache = tmp_path / "cache"
    await found(LocalIndex("library", folder=folder, cache=cache), "tower")
    (kept,) = cache.iterdir()
    (kept / name).unlink() if content is None else (kept / name).write_bytes(content)
    assert await found(LocalIndex("library", folder=folder, cache=cache), "tower") == ["tower.txt"]


async def test_a_cache_that_cannot_be_written_is_done_without(folder, tmp_path):
    (tmp_path / "file").write_text("no folder")
    index = LocalIndex("library", folder=folder, cache=tmp_path / "file" / "cache")
    assert await found(index, "tower") == ["tower.txt"]


async def test_an_index_that_takes_too_long_is_told(folder):
    with pytest.raises(ToolError, match="still being built"):
        await LocalIndex("library", folder=folder).search("tower", 1, seconds=0)


async def test_searches_that_wait_for_an_index_leave_the_threads_to_others(folder, monkeypatch):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments):
        begun.set()
        go_on.wait(20)
        return list_folder(*arguments)

    monkeypatch.setattr(local_index, "list_folder", slow)
    index = LocalIndex("library", folder=folder)
    try:
        for _ in range(4):
            with pytest.raises(ToolError, match="still being built"):
                await index.search("tower", 1, seconds=0.02)
        waiting = asyncio.create_task(index.search("tower", 1))
        assert await asyncio.wait_for(asyncio.to_thread(begun.wait, 10), 10)
    finally:
        go_on.set()
    assert [document.url for document in await waiting] == ["tower.txt"]


async def test_an_index_that_could_not_be_opened_is_tried_again(folder):
    gone = folder.rename(folder.with_name("gone"))
    index = LocalIndex("library", folder=folder)
    for _ in range(2):
        with pytest.raises(ToolError):
            await index.search("tower", 1)
    gone.rename(folder)
    assert await found(index, "tower") == ["tower.txt"]


async def test_many_searches_at_once_open_it_once(folder, tmp_path):
    index = LocalIndex("library", folder=folder, cache=tmp_path / "cache")
    assert await asyncio.gather(*[found(index, "tower") for _ in range(20)]) == [["tower.txt"]] * 20
    assert len(list((tmp_path / "cache").iterdir())) == 1


def _open(folder: Path, cache: Path) -> None:
    index = LocalIndex("library", folder=folder, cache=cache)
    index.open()
    assert [document.url for document in index.find("tower", 1)] == ["tower.txt"]


def test_processes_that_build_at_once_leave_one_whole_index(folder, tmp_path):
    cache = tmp_path / "cache"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open, args=(folder, cache)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(cache.iterdir())) == 1
    _open(folder, cache)


def test_words_are_folded_and_asian_text_is_split_into_characters_and_pairs():
    assert words("The Straße, ＡＢＣ-12 and snake_case") == ["strasse", "abc", "12", "snake", "case"]
    assert words("GPU加速器v2") == ["gpu", "加", "速", "器", "加速", "速器", "v2"]


@given(st.text(max_size=6000), st.integers(20, 1500))
def test_passages_are_bounded_and_lose_nothing_but_space(text, size):
    cut = passages(text, size)
    assert all(0 < len(passage) <= size for passage in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())


def test_passages_end_at_sentences():
    text = "It is a sentence of some length. " * 100
    assert all(passage.endswith("length.") for passage in passages(text, PASSAGE))


@given(st.binary(max_size=300).filter(lambda content: b"\0" not in content))
def test_any_text_is_decoded(content):
    assert isinstance(decode(content), str)


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        ("北京是中国的首都 abc。", "gb18030", ""),
        ("Le café est fermé. Où est l'hôtel ?", "latin-1", ""),
        ("Größe und Übermut", "latin-1", "no-such-encoding"),
        ("Größe und Übermut", "latin-1", "utf-16"),
        ("Москва является столицей", "cp1251", "windows-1251"),
        ("東京は日本の首都です。", "shift_jis", "Shift_JIS"),
        ("é 北京", "utf-8", "gb2312"),
    ],
)
def test_a_text_in_the_encoding_of_its_country_is_read(text: str, encoding: str, declared: str):
    assert decode(text.encode(encoding), declared) == text


def test_the_encoding_that_a_page_declares_is_taken(tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_bytes('<meta charset="windows-1251"><title>Город</title><p>Москва'.encode("cp1251"))
    assert read_file(page) == ("Город", "Москва")


@given(st.text(alphabet="<>/!-abp &;\"'=\n[]?", max_size=200))
def test_any_html_is_read(page):
    title, text = html_text(page)
    assert isinstance(title + text, str)


async def test_a_file_whose_name_is_no_text_is_found_under_one_that_is(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("The tower of Velm")
    (found,) = await LocalIndex("library", folder=tmp_path).search("tower", 1)
    assert found.model_dump_json() and found.url.startswith("caf")
