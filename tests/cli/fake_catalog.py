"""A catalogue file whose one expert is a model of the fake server."""

from pathlib import Path

TEXT = """\
name = "fake"
title = "One expert"

[models.expert]
vendor = "nobody"
id = "{model}"
url = "{url}"
key = "OPENAI_API_KEY"
price = {{ input = 1.0, output = 10.0, source = "the test", date = "2026-01-01" }}

[tools.answer]
kind = "answer"
title = "Answer"
description = "Gives the final answer."

[tools.answer.choices.answer-1]
model = "expert"
ability = "Knows everything."
latency = 1.0
latency_source = "the test"
"""


def write_catalog(folder: Path, url: str, model: str) -> str:
    """Write the catalogue into a folder and return its path."""
    file = folder / "fake.toml"
    file.write_text(TEXT.format(url=url, model=model))
    return str(file)
