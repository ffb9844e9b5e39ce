"""A run's identity is a hash of its content: order-free, exact in its numbers, and closed to what JSON cannot say."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_experiment import Toy

from experiments.canonical import dump, parse
from experiments.plan import specs
from experiments.spec import Result, RunSpec, expecting
from theory.verdict import Verdict, VerdictKind

finite = st.floats(allow_nan=False, allow_infinity=False)
atoms = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=5)
values = st.recursive(atoms, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3))


def shuffled(value):
    """The same value with every dictionary's insertion order reversed."""
    if isinstance(value, dict):
        return {k: shuffled(v) for k, v in reversed(value.items())}
    return [shuffled(v) for v in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=3), values, max_size=4))
def test_key_does_not_depend_on_the_order_of_entries(params):
    assert RunSpec("e", params).key == RunSpec("e", shuffled(params)).key


@given(st.dictionaries(st.text(max_size=3), values, max_size=4))
def test_a_spec_read_back_from_its_text_is_the_same_spec(params):
    spec = RunSpec("e", params)
    again = RunSpec.parse(spec.text)
    assert again == spec and again.key == spec.key and again.params == spec.params


@given(finite, finite)
def test_keys_agree_exactly_when_the_doubles_do(a, b):
    same = a == b and math.copysign(1, a) == math.copysign(1, b)
    assert (RunSpec("e", {"x": a}).key == RunSpec("e", {"x": b}).key) == same


def test_the_key_is_a_fixed_function_of_the_content():
    # The SHA-256 of {"experiment":"e","params":{"a":[1,2.5],"b":null}} as any other tool computes it: a change of
    # this number would orphan every stored result.
    spec = RunSpec("e", {"b": None, "a": (1, 2.5)})
    assert spec.text == '{"experiment":"e","params":{"a":[1,2.5],"b":null}}'
    assert spec.key == "2d4cfb7ade767bd9f13884f0046a01415e06cbd60385712dfb094d174d82e76a"


@pytest.mark.parametrize(
    ("one", "other"), [({"x": 1}, {"x": 1.0}), ({"x": True}, {"x": 1}), ({"x": 0.1}, {"x": math.nextafter(0.1, 1)})]
)
def test_different_values_have_different_keys(one, other):
    assert RunSpec("e", one) != RunSpec("e", other)


def test_experiments_do_not_share_keys():
    assert RunSpec("e", {"x": 1}) != RunSpec("f", {"x": 1})


@pytest.mark.parametrize(
    ("params", "entry"),
    [
        ({"grid": [0.1, np.float64(0.2)]}, r"\['grid'\]\[1\].*numpy.float64"),
        ({"a": {"b": np.zeros(2)}}, r"\['a'\]\['b'\].*ndarray"),
        ({"s": {1, 2}}, r"\['s'\].*set"),
        ({"f": len}, r"\['f'\].*builtin_function"),
        ({"k": {1: "one"}}, r"\['k'\].*key 1"),
    ],
)
def test_what_json_cannot_say_is_refused_by_the_name_of_the_entry(params, entry):
    with pytest.raises(TypeError, match=entry):
        RunSpec("e", params)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_non_finite_numbers_identify_no_run(bad):
    with pytest.raises(ValueError, match=r"\['lr'\]"):
        RunSpec("e", {"lr": bad})


def test_identity_survives_later_changes_of_the_dictionary():
    params = {"grid": [1, 2]}
    spec = RunSpec("e", params)
    key = spec.key
    params["grid"].append(3)
    spec.params["grid"].append(4)
    assert spec.key == key == RunSpec("e", {"grid": [1, 2]}).key


def test_another_device_is_another_run_and_cpu_is_the_default():
    spec = RunSpec("e", {"x": 1})
    assert spec.on("cpu") == spec and spec.device == "cpu"
    assert spec.on("cuda") != spec and spec.on("cuda").device == "cuda" and spec.on("cuda").on("cpu") == spec


@given(st.lists(st.floats(), max_size=4))
def test_results_keep_non_finite_numbers_exactly_in_standard_json(numbers):
    text = dump({"x": numbers})
    json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))
    np.testing.assert_array_equal(parse(text)["x"], numbers)


def test_summaries_accept_numpy_scalars_and_verdicts_accept_objects():
    verdict = Verdict(VerdictKind.VERIFIED, "t", math.nan, {"where": 3})
    result = Result(summary={"a": np.float32(0.5), "b": np.bool_(True), "n": np.arange(2)}, verdicts=[verdict])
    assert result.summary == {"a": 0.5, "b": True, "n": [0, 1]}
    assert result.verdicts[0]["kind"] == "VERIFIED" and math.isnan(result.verdicts[0]["ratio"])
    assert expecting(verdict, VerdictKind.VIOLATED)["expected"] == ["VIOLATED"]


def test_results_refuse_objects_and_half_verdicts():
    with pytest.raises(TypeError, match="'walk' has dtype object"):
        Result({"walk": np.array([None])})
    with pytest.raises(TypeError, match="'walk' is a builtins.list"):
        Result({"walk": [1.0]})
    with pytest.raises(ValueError, match=r"verdicts\[0\]"):
        Result(verdicts=[{"kind": "VERIFIED"}])


def test_a_plan_refuses_unknown_scales_and_foreign_runs():
    class Stray(Toy):
        def runs(self, scale):
            return [RunSpec("other", {})]

    with pytest.raises(ValueError, match="unknown scale 'huge'"):
        specs(Toy(), "huge")
    with pytest.raises(ValueError, match="'toy' planned runs of .*other"):
        specs(Stray(), "ci")
