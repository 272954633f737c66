import json
import os

import pytest
import torch

from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings
from helpers.checkpoints.read.train_config import (
    TrainingConfig,
    adapter_training_config,
    read_training_config,
    read_training_config_file,
)
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.errors import RefusedInput
from tests.support.checkpoint_samples import CONFIG_TEXT, mmengine_entries

OFFICIAL_STYLE = """\
from transformers import AutoTokenizer
from peft import LoraConfig
from xtuner.utils import PROMPT_TEMPLATE
from projects.llava_sam2.models import VideoLLaVASAMModel, SAM2TrainRunner

path = './pretrained/' + 'InternVL3-8B'
template = "internlm2_chat"
prompt_template = PROMPT_TEMPLATE.internlm2_chat
special_tokens = ['[SEG]', '<p>', '</p>', '<vp>', '</vp>']
tokenizer = dict(type=AutoTokenizer.from_pretrained, pretrained_model_name_or_path=path)
model = dict(
    type=VideoLLaVASAMModel,
    special_tokens=special_tokens,
    tokenizer=tokenizer,
    mllm=dict(
        model_path=path,
        llm_lora=dict(type=LoraConfig, r=64, lora_alpha=2 * 64, modules_to_save=["embed_tokens", "lm_head"]),
    ),
    grounding_encoder=dict(type=SAM2TrainRunner, cfg_path='sam2_hiera_l.yaml', ckpt_path='sam2_hiera_large.pt'),
    pretrained_pth='pretrained/full.pth',
)
"""


def read(text):
    return read_training_config(text, "config.py")


def test_config_as_people_write_it():
    config = read(OFFICIAL_STYLE)
    assert (config.lora_alpha, config.lora_rank) == (128.0, 64)
    assert config.template == "internlm2_chat"
    assert config.special_tokens == ("[SEG]", "<p>", "</p>", "<vp>", "</vp>")
    assert config.base_path == "./pretrained/InternVL3-8B"
    assert (config.sam2_path, config.sam2_config) == ("sam2_hiera_large.pt", "sam2_hiera_l.yaml")
    assert config.pretrained_pth == "pretrained/full.pth"
    assert config.unread == ()
    assert config.values["tokenizer"]["type"] == "transformers.AutoTokenizer.from_pretrained"


def test_config_as_mmengine_writes_it():
    config = read(CONFIG_TEXT)
    assert (config.lora_alpha, config.lora_rank, config.template) == (8.0, 4, "qwen_chat")
    assert config.base_path == "pretrained/base"
    assert config.pretrained_pth is None
    assert config.unread == ()
    assert config.text == CONFIG_TEXT


def test_empty_config_knows_nothing():
    config = read("")
    assert (config.lora_alpha, config.lora_rank, config.template, config.base_path) == (None,) * 4
    assert config.unread == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("template = PROMPT_TEMPLATE.qwen_chat", "qwen_chat"),
        ("template = 'xtuner.utils.PROMPT_TEMPLATE.phi3_chat'", "phi3_chat"),
        ("prompt_template = PROMPT_TEMPLATE.qwen_chat", "qwen_chat"),
        ("from x import PROMPT_TEMPLATE\ntemplate = 'a_chat'\nprompt_template = PROMPT_TEMPLATE[template]", "a_chat"),
        ("template = 'a_chat'\nprompt_template = dict(INSTRUCTION='{input}')", "a_chat"),
        ("model = dict(template='b_chat')", "b_chat"),
    ],
)
def test_template_names(text, expected):
    config = read(text)
    assert config.template == expected
    assert config.unread == ()


def test_contradictory_templates_and_tokens_are_reported():
    config = read(
        "template = 'a'\nprompt_template = PROMPT_TEMPLATE.b\n"
        "special_tokens = ['x']\nmodel = dict(special_tokens=['y'])"
    )
    assert config.template is None
    assert config.special_tokens is None
    assert config.unread == (
        "template: contradiction between a and b",
        "special_tokens: contradiction between ('y',) and ('x',)",
    )


@pytest.mark.parametrize(
    "text",
    [
        "model = dict(mllm=dict(llm_lora=dict(lora_alpha=8)))",
        "model = dict(mllm=dict(wrapped=dict(inner=[dict(lora_alpha=8.0)])))",
        "model = dict(a=dict(lora_alpha=8), b=dict(lora_alpha=8))",
    ],
)
def test_alpha_is_found_wherever_it_is(text):
    assert read(text).lora_alpha == 8


@pytest.mark.parametrize("key", ["lora_alpha", "r"])
def test_two_different_values_are_refused(key):
    a, b = ({"lora_alpha": 8, "r": 4} | {key: value} for value in (16, 32))
    with pytest.raises(RefusedInput, match="16, 32") as refusal:
        read(f"model = dict(a={a}, b={b})")
    assert "config.py" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("model = dict(mllm=dict(llm_lora=dict(lora_alpha=alpha(), r=4)))", "lora_alpha: alpha()"),
        ("model = dict(mllm=dict(llm_lora=make_lora()))", "llm_lora: make_lora()"),
        ("model = build()", "llm_lora: build()"),
        ("model = dict(mllm=dict(llm_lora=dict(lora_alpha=8, r='4')))", "lora_rank: '4'"),
        ("model = dict(mllm=dict(llm_lora=dict(lora_alpha=8, r=4.5)))", "lora_rank: 4.5"),
        ("model = dict(mllm=dict(llm_lora=dict(lora_alpha=-1)))", "lora_alpha: -1"),
        ("model = dict(mllm=dict(llm_lora=dict(lora_alpha=True)))", "lora_alpha: True"),
        (f"model = dict(mllm=dict(llm_lora=dict(lora_alpha={10**400})))", "lora_alpha: 1000"),
        ("import os\npath = os.path.join('a', 'b')", "base_path: os.path.join('a', 'b')"),
        ("from base import path\nmodel = dict(mllm=dict(model_path=path))", "base_path: base.path"),
        ("special_tokens = ['[SEG]', extra()]", "special_tokens: "),
        ("template = pick()", "template: pick()"),
        ("template = 'a_chat'\nprompt_template = make()", "template: make()"),
        ("template = 'a_chat'\nmodel = dict(template=os.getenv('T', 'b_chat'))", "template: os.getenv"),
        ("model = dict(pretrained_pth=latest())", "pretrained_pth: latest()"),
        ("pretrained_pth = 3", "pretrained_pth: 3 (of an unexpected type)"),
        ("model = dict(grounding_encoder=dict(cfg_path=pick()))", "sam2_config: pick()"),
        ("model = dict(grounding_encoder=dict(ckpt_path=pick()))", "sam2_path: pick()"),
        ("model = dict(grounding_encoder=build())", "sam2_path: build()"),
        ("_base_ = ['./other.py']", "_base_: ['./other.py']"),
        ("with read_base():\n    from .x import *", "statement: with read_base():"),
    ],
)
def test_what_is_not_read_is_unknown_and_named(text, field):
    config = read(text)
    assert any(entry.startswith(field) for entry in config.unread), config.unread
    name = field.split(":")[0]
    if hasattr(config, name):
        assert getattr(config, name) is None


def test_an_unexpected_value_is_shown_in_200_characters():
    config = read(f"model = dict(lora_alpha='{'x' * 300}')")
    assert config.unread == ("lora_alpha: '" + "x" * 199,)


def test_lora_numbers_go_up_to_a_billion():
    config = read("model = dict(lora_alpha=1e9, r=1)")
    assert (config.lora_alpha, config.lora_rank) == (1e9, 1)
    assert read("model = dict(lora_alpha=1000000001)").lora_alpha is None
    assert read("model = dict(lora_alpha=0)").lora_alpha is None


def test_an_unread_model_path_is_not_replaced_by_another():
    config = read("path = 'x'\nmodel = dict(mllm=dict(model_path=pick(path)))")
    assert config.base_path is None


def test_base_path_falls_back_to_path_then_tokenizer():
    assert read("path = 'x'\ntokenizer = dict(pretrained_model_name_or_path='y')").base_path == "x"
    assert read("tokenizer = dict(pretrained_model_name_or_path='y')").base_path == "y"
    assert read("model = dict(mllm=dict(tok=dict(pretrained_model_name_or_path='y')))").base_path == "y"


PAYLOAD = "__import__('os').system('touch ran')"


@pytest.mark.parametrize(
    "text",
    [
        f"x = {PAYLOAD}",
        f"model = dict(mllm=dict(llm_lora=dict(lora_alpha={PAYLOAD}, r=4)))",
        f"@{PAYLOAD}\ndef f(): pass",
        f"def f(a={PAYLOAD}): pass",
        f'''x = f"{{{PAYLOAD}}}"''',
        f"x = [{PAYLOAD} for _ in (1,)]",
        f"class A({PAYLOAD}): x = {PAYLOAD}",
        f"x: {PAYLOAD} = 1",
        f"if {PAYLOAD}: pass",
        f"{{'a': 1}}[{PAYLOAD}] = 2",
        f"x = dict(**{PAYLOAD})",
        f"x = {{{PAYLOAD}: 1}}",
        f"x = 'a' + {PAYLOAD}",
        f"assert {PAYLOAD}",
        f"{PAYLOAD}",
        "import ran_module\nfrom ran_module import path",
        f"model = dict(mllm=dict(llm_lora=dict(lora_alpha=16, r=4)))\n{PAYLOAD}\nx = (",
    ],
)
@pytest.mark.parametrize("place", ["file", "meta"])
def test_nothing_in_a_config_is_run(tmp_path, monkeypatch, state_dict, text, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ran_module.py").write_text("open('ran', 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = CONFIG_TEXT + text
    try:
        if place == "file":
            (tmp_path / "config.py").write_text(text)
            config = read_training_config_file(tmp_path / "config.py")
        else:
            torch.save(mmengine_entries(state_dict, text), tmp_path / "iter_1.pth")
            with open_source(tmp_path / "iter_1.pth") as source:
                config = read_training_config(source.meta.config_text, "meta")
        assert config.template == "qwen_chat"
    except RefusedInput as error:
        assert text.endswith("x = ("), error
    assert not (tmp_path / "ran").exists()


def test_the_payload_of_these_tests_does_run(tmp_path, monkeypatch):
    """So that the test above can fail."""
    monkeypatch.chdir(tmp_path)
    assert eval(PAYLOAD) == 0
    assert os.path.exists("ran")


def test_files_that_are_no_config(tmp_path):
    with pytest.raises(RefusedInput, match="does not exist"):
        read_training_config_file(tmp_path / "none.py")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RefusedInput, match="UTF-8"):
        read_training_config_file(tmp_path / "binary.py")
    (tmp_path / "long.py").write_bytes(b"#" * 5_000_001)
    with pytest.raises(RefusedInput, match="bytes long"):
        read_training_config_file(tmp_path / "long.py")
    (tmp_path / "long.py").write_bytes(b"#" * 5_000_000)
    assert read_training_config_file(tmp_path / "long.py").values == {}
    (tmp_path / "broken.py").write_text("a = 1\nb = (\n")
    with pytest.raises(RefusedInput, match=r"broken\.py.*line 2"):
        read_training_config_file(tmp_path / "broken.py")


@pytest.mark.golden
def test_golden_training_config(golden):
    text = json.loads((golden / "checkpoints.json").read_text())["meta_lora"]["cfg"]
    config = read(text)
    assert (config.lora_alpha, config.lora_rank, config.template) == (8.0, 4, "qwen_chat")
    assert config.special_tokens == ("[SEG]", "<p>", "</p>", "<vp>", "</vp>")
    assert config.base_path == "pretrained/internvl_base"
    assert config.unread == ()


@pytest.mark.parametrize(
    ("text", "named", "unread"),
    [
        ("model = dict(pretrained_pth='a.pth')", "a.pth", ()),
        ("model = dict(mllm=[dict(pretrained_pth='a.pth')])", "a.pth", ()),
        ("model = dict(pretrained_pth=None)\npretrained_pth = 'b.pth'", None, ()),
        ("model = dict(r=1)\npretrained_pth = 'b.pth'", "b.pth", ()),
        ("pretrained_pth = 'b.pth'", "b.pth", ()),
        ("model = 3\npretrained_pth = 'b.pth'", "b.pth", ()),
        ("model = dict(pretrained_pth='')", None, ("pretrained_pth: '' (of an unexpected type)",)),
        ("model = dict(pretrained_pth='a.pth', mllm=dict(pretrained_pth='a.pth'))", "a.pth", ()),
        ("model = dict(pretrained_pth='a.pth', mllm=dict(pretrained_pth='b.pth'))", None,
         ("pretrained_pth: contradiction between a.pth and b.pth",)),
        ("model = dict(pretrained_pth='a.pth', mllm=dict(pretrained_pth=f()))", None, ("pretrained_pth: f()",)),
        ("model = dict(pretrained_pth='a.pth', mllm=dict(pretrained_pth=None))", "a.pth", ()),
    ],
)  # fmt: skip
def test_what_training_loaded_before_lora(text, named, unread):
    found = read(text)
    assert (found.pretrained_pth, found.unread) == (named, unread)


def test_what_peft_says_of_an_adapter():
    values = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "ByteDance/Sa2VA-4B", "bias": 3}
    found = adapter_training_config(values, "the file")
    adapter = AdapterSettings(8.0, 4, unread=("bias: 3 (of an unexpected type)",))
    assert found == TrainingConfig(
        origin="the file",
        adapters={AdapterPart.LANGUAGE: adapter, AdapterPart.VISION: adapter},
        **dict.fromkeys(("template", "special_tokens", "sam2_path", "sam2_config", "pretrained_pth", "inherited")),
        base_path="ByteDance/Sa2VA-4B",
        unread=adapter.unread,
        text="",
        values={},
    )
    for other in ("", None, 3):
        assert adapter_training_config(values | {"base_model_name_or_path": other}, "x").base_path is None


@pytest.mark.parametrize(
    ("text", "inherited"),
    [
        ("_base_ = ['./other.py']", "_base_ = ['./other.py']"),
        ("with read_base():\n    from .x import *", "with read_base():"),
        ("_base_ = 'a'\nwith read_base():\n    from .x import *", "_base_ = 'a'"),
        ("with open('x') as base:\n    pass", None),
        ("a = 1", None),
    ],
)
def test_a_config_that_takes_over_another(text, inherited):
    assert read(text).inherited == inherited


@pytest.mark.parametrize(
    ("text", "template", "unread"),
    [
        ("prompt_template = dict(INSTRUCTION='x')", None, 1),
        ("prompt_template = dict(INSTRUCTION='x')\nmodel = dict(template='a')", "a", 0),
        ("template = 'a'\nprompt_template = PROMPT_TEMPLATE.a", "a", 0),
        ("template = PROMPTS.a", None, 1),
        ("template = 'x.PROMPTS.a'", "x.PROMPTS.a", 0),
        ("template = 3", None, 1),
    ],
)
def test_names_and_tables_of_templates(text, template, unread):
    found = read(text)
    assert found.template == template and len(found.unread) == unread
    assert all(entry.startswith("template: ") for entry in found.unread)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbfpath = 'x'\n")
    assert read_training_config_file(tmp_path / "a.py").base_path == "x"
    (tmp_path / "a.py").write_bytes(b"path = '\xff'\n")
    with pytest.raises(RefusedInput, match=r"a.py is not a text file in UTF-8 \(invalid start byte at byte 8\)"):
        read_training_config_file(tmp_path / "a.py")


def test_the_text_of_what_was_not_read_is_found_by_its_field():
    found = read("template = f(': ')\nif a:\n    pass\nif b:\n    pass\nif a:\n    pass")
    assert found.unread == ("template: f(': ')", "statement: if a:", "statement: if b:")
    assert found.unread_text("template") == "f(': ')" and found.unread_text("statement") == "if a:"
    assert found.unread_text("temp") is found.unread_text("special_tokens") is None
