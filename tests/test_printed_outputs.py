"""What the pages say their examples print is what the examples print."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    page
    for page in (
        ROOT / "README.md",
        *sorted((ROOT / "doc" / "user_guide").glob("*.md")),
    )
    if "```python" in page.read_text(encoding="utf-8")
]


def load():
    path = ROOT / "doc" / "printed_outputs.py"
    spec = importlib.util.spec_from_file_location("printed_outputs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


printed_outputs = load()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_examples_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    text = page.read_text(encoding="utf-8")
    different = [
        f"{example[1]}\nis said to print\n{example[2]}\nand prints\n{printed}"
        for example, printed in printed_outputs.run_examples(text, page.name)
        if example[2] is not None and not printed_outputs.alike(example[2], printed)
    ]
    assert not different, "\n\n".join(different)


def test_examples_share_a_namespace_and_are_run_in_turn():
    first, second = "```python\nn = 3\n```\n", "```python\nprint(n)\n```\n"
    page = f"{first}\nand\n\n{second}\n```text\n4\n```\n"
    examples = list(printed_outputs.run_examples(page, "page"))
    assert [printed for _, printed in examples] == ["", "3"]
    assert [example[2] for example, _ in examples] == [None, "4\n"]


@pytest.mark.parametrize(
    "shown, printed, same",
    [
        ("accuracy: 0.964\n", "accuracy:  0.951", True),
        ("accuracy: 0.964", "accuracy: 0.7", False),
        ("accuracy: 0.964", "score: 0.964", False),
        ("1,459 bytes", "1402 bytes", True),
        ("1,459 bytes", "659 bytes", False),
        ("price 1e-4; 0.1 s, 2 s to go", "price 2e-4; 7.5 s, 60 s to go", True),
        ("[1, 2]", "[1, 2, 3]", False),
        ("True", "False", False),
    ],
)
def test_numbers_may_differ_a_little_and_words_may_not(shown, printed, same):
    assert printed_outputs.alike(shown, printed) is same


def test_the_first_example_of_all_has_ten_lines():
    (code, *_) = printed_outputs._EXAMPLE.search(
        (ROOT / "README.md").read_text()
    ).groups()
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
