from __future__ import annotations

from dataclasses import replace

from eacf_trainer.experiments import plan
from eacf_trainer.experiments.plan import CNN, GROUPED, MODELS, RANDOM, Cell
from eacf_trainer.experiments.settings import FIGURES, Settings


def test_each_cell_is_there_once_and_has_a_key_of_its_own(settings: Settings) -> None:
    cells = plan.cells(settings, FIGURES)
    assert len(cells) == len(set(cells)) == len({cell.key("x") for cell in cells})


def test_fig3_has_all_models_and_sizes_under_both_splits(settings: Settings) -> None:
    cells = [cell for cell in plan.cells(settings, ["fig3"]) if cell.model in MODELS]
    assert {(cell.model, cell.size) for cell in cells} == {(model, size) for model in MODELS for size in (64, 128)}
    svm = [cell for cell in cells if (cell.model, cell.size) == ("svm", 64)]
    assert sorted((cell.split, cell.seed, cell.fold) for cell in svm) == [
        (GROUPED, 0, 0),
        (GROUPED, 0, 1),
        (GROUPED, 1, 0),
        (GROUPED, 1, 1),
        (RANDOM, 0, 0),
        (RANDOM, 1, 0),
    ]


def test_the_cnn_has_fewer_grouped_seeds_where_the_setting_says_so_but_not_at_the_main_size(settings: Settings) -> None:
    cells = [cell for cell in plan.cells(settings, ["fig3"]) if cell.model == CNN and cell.split == GROUPED]
    assert {cell.seed for cell in cells if cell.size == 128} == {0, 1}
    assert {cell.seed for cell in cells if cell.size == 64} == {0}


def test_what_says_most_comes_first(settings: Settings) -> None:
    first = plan.cells(settings, FIGURES)[0]
    assert (first.model, first.size, first.kind, first.control, first.int8) == (CNN, 128, "both", "original", True)


def test_figures_share_cells(settings: Settings) -> None:
    fig4 = set(plan.cells(settings, ["fig4"]))
    assert all(fig4 <= set(plan.cells(settings, [name])) for name in ("fig3", "controls"))
    assert plan.cells(settings, ["time"]) == []


def test_the_classical_models_cells_do_not_hang_on_epochs(settings: Settings) -> None:
    more = set(plan.cells(replace(settings, epochs=2), ["fig3"]))
    same = [cell for cell in plan.cells(settings, ["fig3"]) if cell in more]
    assert {cell.model for cell in same} == {*MODELS, plan.MOST_FREQUENT} - {CNN}


def test_a_key_hangs_on_the_flows_and_every_field() -> None:
    cell = Cell("dt", "both", 64, "original", RANDOM, 10, 0, 0)
    keys = {cell.key("x"), cell.key("y"), replace(cell, seed=1).key("x"), replace(cell, control="random").key("x")}
    assert len(keys) == 4
