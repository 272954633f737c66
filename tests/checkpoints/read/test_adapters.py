"""Each setting belongs to the adapter under whose key it stands; what is not read is named, never filled in."""

import pytest

from helpers.checkpoints.read.adapters import (
    AdapterPart,
    AdapterSettings,
    find_adapters,
    read_adapter_file,
    shown_unread,
    unread_entry,
    values_under,
)
from helpers.checkpoints.read.config_scope import DottedName, Unread
from helpers.checkpoints.read.train_config import read_training_config
from helpers.core.errors import RefusedInput

LANGUAGE, VISION = AdapterPart.LANGUAGE, AdapterPart.VISION


def adapters(text):
    return read_training_config(f"model = dict(mllm=dict({text}))", "config.py").adapters


def one(text):
    return adapters(f"llm_lora=dict({text})")[LANGUAGE]


@pytest.mark.parametrize("first", [True, False])
def test_each_part_has_its_own_whatever_comes_first(first):
    texts = ["visual_encoder_lora=dict(r=2, lora_alpha=6, use_rslora=True)", "llm_lora=dict(r=4, lora_alpha=8)"]
    found = adapters(", ".join(texts if first else reversed(texts)))
    assert found[LANGUAGE] == AdapterSettings(8.0, 4)
    assert found[VISION] == AdapterSettings(6.0, 2, rank_stabilised=True)


def test_a_part_without_an_adapter_has_none():
    assert set(adapters("visual_encoder_lora=dict(r=2, lora_alpha=6)")) == {VISION}
    assert set(adapters("visual_encoder_lora=None, llm_lora=dict(lora_alpha=8)")) == {LANGUAGE}
    assert adapters("llm_lora=None") == {} and adapters("lr=2") == {}


def test_one_adapter_under_another_key_is_the_language_models():
    assert adapters("lora=dict(r=4, lora_alpha=8), visual_encoder_lora=dict(lora_alpha=2)")[LANGUAGE].alpha == 8
    assert adapters("llm_lora=dict(lora_alpha=8), lora_of_sam=dict(lora_alpha=2)")[LANGUAGE].alpha == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a=dict(lora_alpha=8), b=dict(lora_alpha=16)", "different values of lora_alpha .*: 8, 16.*llm_lora"),
        ("a=dict(lora_alpha=8, r=2), b=dict(lora_alpha=8, r=4)", "different values of lora_rank .*: 2, 4"),
        ("a=dict(lora_alpha=8), b=dict(lora_alpha=8, use_rslora=True)", "2 different adapters for llm_lora"),
        ("a=dict(llm_lora=dict(lora_alpha=8)), b=dict(llm_lora=dict(lora_alpha=4))", "different values"),
    ],
)
def test_adapters_of_one_part_that_differ_are_refused(text, said):
    with pytest.raises(RefusedInput, match=said):
        adapters(text)


@pytest.mark.parametrize("setting", ["lora_alpha", "use_rslora", "use_dora", "bias", "rank_pattern", "alpha_pattern",
                                     "init_lora_weights", "modules_to_save", "layers_to_transform", "lora_bias", "type",
                                     "layer_replication", "fan_in_fan_out", "trainable_token_indices", "use_qalora",
                                     "target_parameters", "alora_invocation_tokens"])  # fmt: skip
@pytest.mark.parametrize("value", ["flag()", "os.getenv('X')", "1 if a else 2"])
def test_what_is_not_read_is_named(setting, value):
    assert one(f"r=4, {setting}={value}").unread == (f"{setting}: {value}",)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("r='4'", "lora_rank: '4'"),
        ("r=4.5", "lora_rank: 4.5"),
        ("lora_alpha=-1", "lora_alpha: -1"),
        ("lora_alpha=True", "lora_alpha: True"),
        ("use_rslora=1", "use_rslora: 1"),
        ("bias='some'", "bias: 'some'"),
        ("rank_pattern=dict(q_proj=rank())", "rank_pattern: "),
        ("modules_to_save=[head()]", "modules_to_save: "),
        ("modules_to_save='lm_head'", "modules_to_save: 'lm_head'"),
    ],
)
def test_values_of_another_kind_are_not_read(text, entry):
    (found,) = one(text).unread
    assert found.startswith(entry)


def test_an_adapter_that_is_not_read_at_all_is_named_for_its_part():
    config = read_training_config("model = dict(mllm=dict(llm_lora=make(), visual_encoder_lora=dict(**other)))", "c")
    assert config.unread == ("llm_lora: make()", "visual_encoder_lora: dict(**other)")
    assert read_training_config("model = dict(mllm=build())", "c").unread_text("visual_encoder_lora") == "build()"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (setting, value)
        for setting in ("use_dora", "alpha_pattern", "lora_bias", "layer_replication", "init_lora_weights")
        for value in ("True", "['x']", "dict(q=1)", "'pissa'", "3")
        if (setting, value) != ("init_lora_weights", "True")
    ],
)
def test_settings_with_another_merge_are_variants(setting, value):
    (variant,) = one(f"{setting}={value}").variants
    assert variant.startswith(setting)


@pytest.mark.parametrize(
    "text",
    ["use_dora=False", "use_dora=None", "alpha_pattern={}", "alpha_pattern=None", "init_lora_weights='gaussian'",
     "init_lora_weights=False", "init_lora_weights=None", "layer_replication=None", "target_parameters=[]",
     "type='peft.LoraConfig'", "lora_dropout=drop()", "task_type=TaskType.CAUSAL_LM"],
)  # fmt: skip
def test_settings_that_leave_the_merge_as_it_is(text):
    assert one(f"lora_alpha=8, {text}") == AdapterSettings(8.0)


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("target_modules=None", None),
        ("target_modules='all-linear'", None),
        ("target_modules=['q_proj', 'v_proj']", ("q_proj", "v_proj")),
        ("target_modules=find(model)", ()),
        ("target_modules='.*q_proj'", ()),
        ("exclude_modules=['o_proj']", ()),
    ],
)
def test_which_modules_have_lora_and_where_that_is_not_read(text, targets):
    assert one(text).targets == targets


def test_another_kind_of_adapter_is_a_variant():
    assert one("type='peft.AdaLoraConfig'").variants == ("type peft.AdaLoraConfig",)
    assert read_adapter_file({"peft_type": "IA3"}).variants == ("peft_type 'IA3'",)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("layers_to_transform=[1]", True),
        ("layers_to_transform=None", False),
        ("target_modules='all-linear'", False),
        ("target_modules=['q_proj', 'v_proj']", False),
        ("target_modules=r'.*layers\\.1\\..*'", True),
        ("target_modules=['layers.1.q_proj']", True),
    ],
)
def test_chosen_layers(text, chosen):
    assert one(text).chosen_layers is chosen


def test_the_rest_of_an_adapter():
    found = one("rank_pattern=dict(q_proj=2), bias='all', modules_to_save=['lm_head'], use_rslora=False")
    assert found == AdapterSettings(
        pattern_ranks=frozenset({2}), bias="all", saved_modules=("lm_head",), rank_stabilised=False
    )
    file = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": True, "rank_pattern": {}, "alpha_pattern": {}}
    assert read_adapter_file(file) == AdapterSettings(8.0, 4, rank_stabilised=True)


def test_a_model_that_is_no_dict_has_no_adapters():
    assert find_adapters(None, "c") == {} and find_adapters(3, "c") == {}


@pytest.mark.parametrize(
    ("written", "read"),
    [("1e9", 1e9), ("1000000001", None), ("0", None), ("-1", None), ("0.5", 0.5), ("True", None), ("'8'", None)],
)
def test_alpha_is_a_positive_number_up_to_a_limit(written, read):
    found = one(f"lora_alpha={written}")
    assert found.alpha == read and bool(found.unread) is (read is None)


@pytest.mark.parametrize(("written", "read"), [("4", 4), ("4.0", 4), ("4.5", None), ("0", None), ("True", None)])
def test_a_rank_is_a_whole_number(written, read):
    found = one(f"r={written}")
    assert found.rank == read and bool(found.unread) is (read is None)
    assert read is not None or found.unread[0].startswith(f"lora_rank: {written}")


@pytest.mark.parametrize(
    ("part", "entry", "said"),
    [
        (LANGUAGE, "lora_alpha: f()", "lora_alpha: f()"),
        (LANGUAGE, "lora_rank: f()", "lora_rank: f()"),
        (LANGUAGE, "bias: f()", "llm_lora.bias: f()"),
        (VISION, "lora_alpha: f()", "visual_encoder_lora.lora_alpha: f()"),
        (LANGUAGE, "adapter: f(): g", "llm_lora: f(): g"),
        (VISION, "adapter: f()", "visual_encoder_lora: f()"),
    ],
)
def test_what_was_not_read_is_told_with_its_place(part, entry, said):
    assert unread_entry(part, entry) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Unread("f()"), "f()"),
        (DottedName("a.b"), "a.b (imported name, not followed)"),
        (3, "3 (of an unexpected type)"),
        ("x" * 300, repr("x" * 300)[:200]),
    ],
)
def test_values_that_are_not_understood_in_one_line(value, shown):
    assert shown_unread(value) == shown


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        ("", False),
        ("target_modules='all-linear'", False),
        ("target_modules=['q_proj', 'v_proj']", False),
        ("target_modules=('layers.3.q_proj',)", True),
        ("target_modules='.*layers.3.*'", True),
        ("layers_to_transform=[1]", True),
        ("layers_to_transform=None", False),
    ],
)
def test_whether_some_layers_were_chosen(settings, chosen):
    assert one(settings).chosen_layers is chosen


@pytest.mark.parametrize(
    ("settings", "variants"),
    [
        ("type='peft.LoraConfig', init_lora_weights='gaussian', use_dora=False, alpha_pattern={}", ()),
        ("init_lora_weights='orthogonal'", ()),
        ("init_lora_weights=False", ()),
        ("type=LoraConfig", ()),
        ("type='peft.LoHaConfig'", ("type peft.LoHaConfig",)),
        ("use_dora=True, use_qalora=True", ("use_dora", "use_qalora")),
        ("alpha_pattern=dict(a=1)", ("alpha_pattern={'a': 1}",)),
        ("init_lora_weights=''", ("init_lora_weights=''",)),
        (f"target_parameters='{'x' * 99}'", (f"target_parameters='{'x' * 99}"[:80],)),
    ],
)
def test_settings_with_another_merge(settings, variants):
    assert one(settings).variants == variants


def test_ranks_of_single_modules_and_modules_that_were_saved():
    found = one("r=4, rank_pattern=dict(q_proj=8, v_proj=16), modules_to_save=['lm_head', 'embed_tokens'], bias='all'")
    assert found == AdapterSettings(
        rank=4, pattern_ranks=frozenset({8, 16}), saved_modules=("lm_head", "embed_tokens"), bias="all"
    )
    assert one("rank_pattern=dict(q_proj=-8)").unread[0].startswith("rank_pattern: ")
    assert one("rank_pattern=3").unread == ("rank_pattern: 3 (of an unexpected type)",)
    assert one("modules_to_save=['a', 3]").saved_modules == ()


def test_the_file_of_peft_is_lora_or_a_variant():
    plain = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": True}
    assert read_adapter_file(plain) == AdapterSettings(8.0, 4, rank_stabilised=True)
    assert read_adapter_file(plain | {"peft_type": "IA3", "use_dora": True}).variants == ("peft_type 'IA3'", "use_dora")
    assert read_adapter_file({}).variants == ("peft_type None",)


def test_values_under_a_key_at_any_depth_but_not_within_each_other():
    value = {"a": {"key": {"key": 1}}, "b": [{"key": 2}, ({"key": 3},)], "key": 4}
    assert list(values_under(value, "key")) == [{"key": 1}, 2, 3, 4]
    assert list(values_under("key", "key")) == []


def test_a_bias_that_was_not_read_counts_as_none():
    assert one("bias=flag()").bias == one("bias=None").bias == one("bias=3").bias == "none"
