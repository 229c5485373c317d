"""Options become a plan once, each of its kind."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from omegaconf import OmegaConf

from mua_decode.runs.plan import plain, read_plan
from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class Inner:
    share: float
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    number: int
    name: str | None
    inner: Inner
    groups: tuple[tuple[str, ...], ...] | None = field(
        default=None, metadata={"expected": "lists of regions such as [[V4,MT]]"}
    )
    shares: dict[str, float] = field(default_factory=dict)
    metrics: tuple[object, ...] = ()


GIVEN = {"number": 3, "name": None, "inner": {"share": 1, "sizes": [2, 3]}, "other": "left"}


def test_lists_groups_and_numbers_take_their_types() -> None:
    cfg = OmegaConf.create({**GIVEN, "groups": [["V4", "MT"]], "shares": {"V4": 1, "MT": 0.5}})
    plan = read_plan(Plan, cfg, metrics=(len,))
    assert plan == Plan(
        number=3,
        name=None,
        inner=Inner(share=1.0, sizes=(2, 3)),
        groups=(("V4", "MT"),),
        shares={"V4": 1.0, "MT": 0.5},
        metrics=(len,),
    )
    assert isinstance(plan.inner.share, float)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"number": "many"}, "number: expected a whole number, found many"),
        ({"number": True}, "number: expected a whole number, found True"),
        ({"groups": ["V4"]}, "groups: expected lists of regions such as [[V4,MT]], found ['V4']"),
        ({"inner": {"share": "half"}}, "inner.share: expected a number, found half"),
        ({"inner": {"share": 1, "sizes": 4}}, "inner.sizes: expected a list, found 4"),
    ],
)
def test_an_option_of_another_kind_is_named(change: dict[str, object], line: str) -> None:
    with pytest.raises(InputError) as error:
        read_plan(Plan, {**GIVEN, **change})
    assert str(error.value) == line


def test_keys_of_plain_options_are_texts() -> None:
    assert plain({90: {1: "a"}}) == {"90": {"1": "a"}}
