"""Who stays, by plain numbers: the bounds of label, client, file and number of labels, under floods."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.samples.index import FAIR_ROWS, Index, Limits

SIZE = 200


class Table:
    """An index beside what it says there is."""

    def __init__(self, **limits: float) -> None:
        self.index = Index(Limits(**limits), Random(1))  # type: ignore[arg-type]
        self.rows: dict[int, tuple[str | None, str]] = {}
        self.refused = 0
        self._next = 1

    def add(self, label: str | None, client: str, size: int = SIZE) -> int:
        number, self._next = self._next, self._next + 1
        gone = self.index.place(number, label, client, size)
        if gone is None:
            self.refused += 1
            return 0
        self.rows[number] = (label, client)
        for each in gone:
            del self.rows[each]  # KeyError: it was not there
        return number

    def labels(self) -> Counter[str | None]:
        return Counter(label for label, _ in self.rows.values())

    def clients(self, label: str) -> Counter[str]:
        return Counter(client for at, client in self.rows.values() if at == label)


def test_a_full_label_takes_each_new_one_and_gives_up_one_at_random() -> None:
    table = Table(rows_per_label=100, client_share=1)
    for number in range(1000):
        assert table.add("a", f"c{number}") in table.rows
        assert len(table.rows) == min(number + 1, 100)
    ages = sorted(1000 - number for number in table.rows)
    assert ages[0] == 0  # the newest is there
    assert ages[-1] > 200  # and so are old ones: a first-in-first-out would have none beyond 100
    assert 60 < sum(age < 100 for age in ages) < 80  # 1 - 1/e of them


def test_rare_labels_survive_a_flood_of_common_ones() -> None:
    table = Table(rows_per_label=100, bytes=500 * SIZE, client_share=1)
    for number in range(5):
        table.add(f"rare{number}", "c")
    for number in range(20_000):
        table.add(f"common{number % 8}", f"c{number % 50}")
    labels = table.labels()
    assert all(labels[f"rare{number}"] == 1 for number in range(5))
    assert 400 <= len(table.rows) <= 500
    assert max(labels.values()) - min(labels[f"common{at}"] for at in range(8)) < 25


@pytest.mark.parametrize("first", [True, False])
def test_a_client_that_floods_a_label_holds_its_share(first: bool) -> None:
    """Whether it comes first, when nobody else is there yet, or later."""
    table = Table(rows_per_label=200)
    if first:
        for _ in range(5000):
            table.add("a", "flood")
        assert len(table.rows) == FAIR_ROWS
    for number in range(2000):
        table.add("a", f"c{number % 40}")
        for _ in range(5):
            table.add("a", "flood")
    clients = table.clients("a")
    assert len(table.rows) == 200
    assert 1 <= clients["flood"] <= 41
    assert len(clients) == 41
    for _ in range(1000):
        assert table.add("a", "flood") in table.rows  # a new one gets in, for one of its own
    assert table.clients("a")["flood"] <= 41


def test_what_is_over_its_share_goes_first() -> None:
    table = Table(rows_per_label=1000)
    for _ in range(FAIR_ROWS):
        table.add("a", "first")
    for number in range(40):
        table.add("a", f"c{number}")
    clients = table.clients("a")
    assert clients["first"] == 11
    assert len(clients) == 40 + 1 - 0


def test_clients_below_the_bound_are_not_touched() -> None:
    table = Table(rows_per_label=1000)
    for number in range(600):
        table.add("a", f"c{number % 6}")
    assert set(table.clients("a").values()) == {100}


def test_one_client_with_many_names_does_not_get_the_file() -> None:
    table = Table(bytes=1000 * SIZE)
    for number in range(900):
        table.add(f"l{number % 30}", f"c{number % 90}")
    for number in range(20_000):
        table.add(f"made-up-{number}", "flood")
    assert table.refused > 19_000
    held = Counter(client for _, client in table.rows.values())
    assert held["flood"] <= 0.2 * 1000 + 1
    assert sum(number for label, number in table.labels().items() if label and label.startswith("l")) > 780


def test_beyond_so_many_labels_one_with_few_rows_goes() -> None:
    table = Table(labels=50, client_share=1)
    for number in range(400):
        table.add(f"real{number % 20}", "c")
    for number in range(3000):
        table.add(f"once{number}", f"c{number}")
    labels = table.labels()
    assert len(labels) == 50
    assert all(labels[f"real{at}"] == 20 for at in range(20))
    assert labels["once2999"] == 1


def test_background_has_a_bound_of_its_own() -> None:
    table = Table(background=10)
    for number in range(100):
        table.add(None, f"c{number}")
        table.add("a", f"c{number}")
    assert table.labels() == {None: 10, "a": 100}
    none = Table(background=0)
    none.add(None, "c")
    assert (none.rows, none.refused) == ({}, 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "a", "b", "c", "d", "e"]), st.sampled_from("pqrstuvwxyz"), st.integers(100, 900)
        ),
        max_size=400,
    ),
    st.sampled_from([0.2, 0.5, 1.0]),
    st.integers(2000, 100_000),
)
def test_the_bounds_hold_and_the_picture_is_right(
    flows: list[tuple[str | None, str, int]], share: float, room: int
) -> None:
    table = Table(rows_per_label=60, background=7, bytes=room, client_share=share, labels=4)
    sizes = {}
    for label, client, size in flows:
        sizes[table.add(label, client, size)] = size
        labels = table.labels()
        assert len(labels.keys() - {None}) <= 4
        assert labels[None] <= 7
        assert max((n for label, n in labels.items() if label), default=0) <= 60
        held = sum(sizes[number] for number in table.rows)
        assert held == table.index.bytes
        assert held <= room + 1000  # a client over its share replaces rows that may be smaller
        assert table.index.rows == len(table.rows)
    for label, group in table.index.groups.items():
        assert {number: (label, client) for number, client in zip(group.ids, group.clients, strict=True)} == {
            number: row for number, row in table.rows.items() if row[0] == label
        }
        assert group.counts == Counter(group.clients)
