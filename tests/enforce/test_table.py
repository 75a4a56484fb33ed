"""The real kernel, in a network namespace of each test's own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from eacf.enforce import table as module
from eacf.enforce.nft import Nft, NftError, may_administer
from eacf.enforce.ruleset import Change, Element, Marks, Pair
from eacf.enforce.table import Table, TableLost
from eacf.errors import EnforceError

Inside = Callable[[Callable[[], Any]], Any]
DROP = Element(None)
MARKS = Element(Marks("label youtube", 16, 0x10010, 34, None))
LIMITED = Element(Marks("group bulk", 32, None, None, 5_000_000))


def pair(number: int, six: bool = False) -> Pair:
    low, high = ("2001:db8::1", "2001:db8::2") if six else ("10.1.0.2", "10.2.0.2")
    return Pair("tcp", (ip_address(low), 1024 + number), (ip_address(high), 443))


def elements(nft: Nft, name: str) -> list[str]:
    """What is in a set or map of the table, without the time that is left."""
    kind = "map" if name.startswith("acts") else "set"
    body = re.search(r"elements = \{(.*?)\}", nft.run(f"list {kind} inet eacf {name}"), re.DOTALL)
    return sorted(" ".join(re.sub(r"expires \S+", "", each).split()) for each in body[1].split(",")) if body else []


class OldKernel(Nft):
    """What Linux before 5.12 says to a table with an owner."""

    def run(self, text: str) -> str:
        if "flags owner" in text:
            raise NftError("Operation not supported")
        return super().run(text)


def test_every_kind_of_act_is_taken_by_the_kernel(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            assert table.owned
            changes = [
                Change(pair(1), None, DROP, 60.0),
                Change(pair(2), None, MARKS, 60.0),
                Change(pair(3, six=True), None, LIMITED, 60.0),
                Change(ip_network("10.9.0.7/32"), None, DROP, 60.0),
                Change(ip_network("10.9.0.0/20"), None, DROP, 60.0),
                Change(ip_network("2001:db8:7::/48"), None, DROP, 60.0),
            ]
            assert table.apply(changes, 0.0) == []
            assert elements(nft, "acts4") == [
                "10.1.0.2 . tcp . 1025 . 10.2.0.2 . 443 timeout 1m2s : drop",
                "10.1.0.2 . tcp . 1026 . 10.2.0.2 . 443 timeout 1m2s : jump label_youtube_1",
                "10.2.0.2 . tcp . 443 . 10.1.0.2 . 1025 timeout 1m2s : drop",
                "10.2.0.2 . tcp . 443 . 10.1.0.2 . 1026 timeout 1m2s : jump label_youtube_1",
            ]
            assert elements(nft, "acts6") == [
                "2001:db8::1 . tcp . 1027 . 2001:db8::2 . 443 timeout 1m2s : jump group_bulk_2_orig",
                "2001:db8::2 . tcp . 443 . 2001:db8::1 . 1027 timeout 1m2s : jump group_bulk_2_resp",
            ]
            assert elements(nft, "hosts4") == ["10.9.0.7 timeout 1m2s"]
            assert elements(nft, "hosts4_20") == ["10.9.0.0 timeout 1m2s"]
            assert elements(nft, "hosts6_48") == ["2001:db8:7:: timeout 1m2s"]
            chain = nft.run("list chain inet eacf label_youtube_1")
            for words in ("ct mark set 0x00000010", "meta priority set 1:10", "ip dscp set af41", "ip6 dscp set af41"):
                assert words in chain
            assert "limit rate over 625000 bytes/second burst 64 kbytes drop" in nft.run(
                "list chain inet eacf group_bulk_2_resp"
            )
            away = [Change(each.target, each.new, None, 0.0) for each in changes]
            assert table.apply(away, 1.0) == []
            for name in ("acts4", "acts6", "hosts4", "hosts4_20", "hosts6_48"):
                assert elements(nft, name) == []
            assert table.account.failed == 0

    inside(go)


ODD = [
    ("0.0.0.0", "255.255.255.255"),
    ("127.0.0.1", "224.0.0.251"),
    ("::", "::1"),
    ("::102:304", "::ffff:102:304"),
    ("fe80::1", "ff02::fb"),
    ("2001:db8::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]


def test_odd_addresses_and_ports_are_addresses_and_ports_to_nft(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            changes = []
            for low, high in ODD:
                for protocol, port in (("tcp", 0), ("udp", 65_535)):
                    pair = Pair(protocol, (ip_address(low), port), (ip_address(high), 1))
                    changes.append(Change(pair, None, DROP, 366 * 86_400.0))
                for address in (low, high):
                    changes.append(Change(ip_network(address), None, DROP, 0.001))
            fours = [f"10.9.0.0/{width}" for width in range(8, 32)]
            for text in (*fours, *(f"2001:db8::/{width}" for width in range(16, 128))):
                changes.append(Change(ip_network(text, strict=False), None, DROP, 60.0))
            assert table.apply(changes, 0.0) == []
            assert table.account.transactions == 2
            assert (len(elements(nft, "acts4")), len(elements(nft, "acts6"))) == (8, 16)
            assert (len(elements(nft, "hosts4")), len(elements(nft, "hosts6"))) == (4, 8)

    inside(go)


def test_a_drop_in_the_place_of_marks_and_a_longer_time(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            table.apply([Change(pair(1), None, MARKS, 60.0)], 0.0)
            assert table.apply([Change(pair(1), MARKS, DROP, 60.0)], 0.0) == []
            assert [each.split(" timeout ")[1] for each in elements(nft, "acts4")] == ["1m2s : drop"] * 2
            assert table.apply([Change(pair(1), DROP, DROP, 120.0)], 0.0) == []
            assert [each.split(" timeout ")[1] for each in elements(nft, "acts4")] == ["2m2s : drop"] * 2
            assert table.account.failed == 0

    inside(go)


def test_one_bad_rule_costs_no_good_one(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHANGES", 16)

    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            mixed = Pair("tcp", (ip_address("10.1.0.2"), 1), (ip_address("2001:db8::2"), 2))  # no set takes that
            vain = Element(Marks("vain", 2**40, None, None, None))  # no connection's mark
            changes = [Change(pair(number), None, MARKS, 60.0) for number in range(40)]
            changes[13] = bad = Change(mixed, None, DROP, 60.0)
            changes[29] = worse = Change(pair(29), None, vain, 60.0)
            failed = table.apply(changes, 0.0)
            assert [change for change, _ in failed] == [worse, bad]
            assert all(why for _, why in failed)
            assert len(elements(nft, "acts4")) == 2 * 38

    inside(go)


def test_elements_that_went_or_came_by_other_hands_do_not_stand_in_the_way(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            table.apply([Change(pair(number), None, MARKS, 60.0) for number in range(4)], 0.0)
            nft.run("delete element inet eacf acts4 { 10.2.0.2 . tcp . 443 . 10.1.0.2 . 1025 }")
            nft.run("add element inet eacf acts4 { 10.1.0.2 . tcp . 1033 . 10.2.0.2 . 443 timeout 9s : drop }")
            steps = [Change(pair(number), MARKS, DROP, 60.0) for number in range(3)]
            steps += [Change(pair(3), MARKS, None, 0.0), Change(pair(9), None, MARKS, 60.0)]
            assert table.apply(steps, 0.0) == []
            assert table.account.failed > 0
            found = elements(nft, "acts4")
            assert (len(found), sum(each.endswith("drop") for each in found)) == (8, 6)

    inside(go)


def test_a_chain_without_use_goes_in_time(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            table.apply([Change(pair(1), None, MARKS, 60.0), Change(pair(2), None, LIMITED, 60.0)], 0.0)
            table.apply([Change(pair(1), MARKS, None, 0.0)], 1.0)
            table.sweep(2.0)
            assert "label_youtube_1" in nft.run("list table inet eacf")
            table.sweep(11.0)
            left = nft.run("list table inet eacf")
            assert "label_youtube_1" not in left
            assert "chain group_bulk_2_orig" in left
            table.apply([Change(pair(1), None, MARKS, 60.0)], 12.0)
            assert "jump label_youtube_3" in elements(nft, "acts4")[0]

    inside(go)


def test_a_set_of_subnets_without_use_goes_in_time_and_comes_again(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            bare = nft.run("list chain inet eacf forward")
            wide, host = ip_network("10.9.0.0/24"), ip_network("10.9.0.7/32")
            table.apply([Change(wide, None, DROP, 60.0), Change(host, None, DROP, 60.0)], 0.0)
            table.apply([Change(wide, DROP, None, 0.0)], 1.0)
            table.sweep(10.0)
            assert "hosts4_24" in nft.run("list table inet eacf")
            table.sweep(11.0)
            left = nft.run("list table inet eacf")
            assert "hosts4_24" not in left
            assert left.count("@hosts4 drop") == 2
            assert elements(nft, "hosts4") == ["10.9.0.7 timeout 1m2s"]
            table.apply([Change(wide, None, DROP, 60.0), Change(host, DROP, None, 60.0)], 12.0)
            assert len(elements(nft, "hosts4_24")) == 1
            table.apply([Change(wide, DROP, None, 0.0)], 13.0)
            table.sweep(30.0)
            assert nft.run("list chain inet eacf forward") == bare
            assert table.account.failed == 0

    inside(go)


def test_so_many_marks_and_no_more(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHAINS", 3)

    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            marks = [Element(Marks(f"label {number}", 1, None, None, None)) for number in range(5)]
            changes = [Change(pair(number), None, each, 60.0) for number, each in enumerate(marks)]
            assert [why for _, why in table.apply(changes, 0.0)] == ["3 different marks are in use"] * 2

    inside(go)


def test_marks_without_end_cost_no_time(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            marks = [Element(Marks(f"label {number}", 1, None, None, None)) for number in range(2 * module.MAX_CHAINS)]
            table.apply([Change(pair(number), None, DROP, 60.0) for number in range(len(marks))], 0.0)
            before = table.account.transactions
            changes = [Change(pair(number), DROP, each, 60.0) for number, each in enumerate(marks)]
            began = time.monotonic()
            failed = table.apply(changes, 0.0)
            assert time.monotonic() - began < 5.0
            assert [change for change, _ in failed] == changes[module.MAX_CHAINS :]
            assert table.account.transactions - before <= 5
            assert len(elements(nft, "acts4")) == 2 * module.MAX_CHAINS
            there = [each for each in changes if each not in {change for change, _ in failed}]
            table.apply([Change(each.target, each.new, None, 0.0) for each in there], 1.0)
            began = time.monotonic()
            table.sweep(20.0)
            assert time.monotonic() - began < 2.0
            assert "chain label_" not in nft.run("list table inet eacf")

    inside(go)


def test_elements_that_ended_while_we_slept_cost_no_time(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            there = [Change(pair(number), None, MARKS if number % 2 else DROP, 60.0) for number in range(2000)]
            there.append(Change(ip_network("10.9.0.0/24"), None, DROP, 60.0))
            table.apply(there, 0.0)
            nft.run("flush map inet eacf acts4\nflush set inet eacf hosts4_24")
            steps = [Change(each.target, each.new, None, 0.0) for each in there]
            steps += [Change(pair(number), None, MARKS, 60.0) for number in range(2000, 2100)]
            before = table.account.transactions
            assert table.apply(steps, 0.0) == []
            assert table.account.transactions - before < 10
            assert len(elements(nft, "acts4")) == 200

    inside(go)


def test_a_kernel_that_refuses_everything_is_not_asked_for_ever(inside: Inside) -> None:
    def go() -> None:
        with Nft() as nft:
            table = Table(nft)
            table.start()
            mixed = [Pair("tcp", (ip_address("10.1.0.2"), n), (ip_address("2001:db8::2"), 2)) for n in range(2000)]
            failed = table.apply([Change(each, None, DROP, 60.0) for each in mixed], 0.0)
            assert len(failed) == 2000
            assert table.account.transactions < 12 * module.MAX_REPAIRS

    inside(go)


def test_the_table_goes_with_its_owner_and_nobody_else_may_write_it(inside: Inside) -> None:
    def go() -> None:
        with Nft() as other:
            with Nft() as nft:
                table = Table(nft)
                table.start()
                with pytest.raises(NftError, match="Operation not permitted"):
                    other.run("delete table inet eacf")
                other.run("flush ruleset")
                assert "chain forward" in other.run("list table inet eacf")
                with pytest.raises(EnforceError, match="another `eacf enforce`"):
                    Table(other).start()
            with pytest.raises(NftError, match="No such file"):
                other.run("list table inet eacf")

    inside(go)


def test_a_kernel_without_owners_gets_a_table_that_is_ended_by_hand(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    def go() -> None:
        with OldKernel() as nft:
            table = Table(nft)
            table.start()
            assert not table.owned
            table.apply([Change(pair(1), None, MARKS, 60.0)], 0.0)
        with OldKernel() as nft:  # the former was killed: its table is still there
            assert "elements" in nft.run("list table inet eacf")
            table = Table(nft)
            table.start()
            assert "elements" not in nft.run("list table inet eacf")
            table.end()
            with pytest.raises(NftError):
                nft.run("list table inet eacf")

    inside(go)
    assert "the kernel knows no tables that have an owner" in caplog.text


def test_a_table_that_others_remove_is_lost_and_made_anew(inside: Inside) -> None:
    def go() -> None:
        with OldKernel() as nft, Nft() as other:
            table = Table(nft)
            table.start()
            table.apply([Change(pair(1), None, MARKS, 60.0)], 0.0)
            other.run("flush ruleset")
            with pytest.raises(TableLost):
                table.sweep(1.0)
            with pytest.raises(TableLost):
                table.apply([Change(pair(2), None, MARKS, 60.0)], 0.0)
            table.rebuild()
            assert table.apply([Change(pair(1), None, MARKS, 60.0)], 0.0) == []
            assert len(elements(nft, "acts4")) == 2
            assert table.account.rebuilt == 1

    inside(go)


def test_a_closed_handle_says_so(kernel: None) -> None:
    nft = Nft()
    nft.close()
    nft.close()
    with pytest.raises(ValueError, match="closed"):
        nft.run("list tables")


def test_the_capability_is_read_from_the_process(tmp_path: Any) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tx\nCapEff:\t0000000000001000\n")
    assert may_administer(status)
    status.write_text("Name:\tx\nCapEff:\t0000000000000fff\n")
    assert not may_administer(status)
    assert may_administer(tmp_path / "absent")
