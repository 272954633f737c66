"""What people write into training configs, in small: read right, or named as not read; never a wrong value."""

import pytest

from helpers.checkpoints.read.adapters import AdapterPart
from helpers.checkpoints.read.train_config import read_training_config

IMPORTS = """\
import os
from copy import deepcopy
from peft import LoraConfig
from transformers import AutoTokenizer
from xtuner.utils import PROMPT_TEMPLATE
from mmengine.config import read_base
"""
TOKENS = "special_tokens = ['[SEG]', '<p>', '</p>', '<vp>', '</vp>']\n"
TEMPLATE = "template = 'phi3_chat'\nprompt_template = PROMPT_TEMPLATE.phi3_chat\n"
MODEL = """\
model = dict(
    special_tokens=special_tokens,
    pretrained_pth=None,
    mllm=dict(model_path=path, llm_lora=dict(type=LoraConfig, r=128, lora_alpha=256)),
)
"""
PATH = "path = './pretrained/InternVL3-8B'\n"
WHOLE = IMPORTS + PATH + TEMPLATE + TOKENS + MODEL
RIGHT = {
    "lora_alpha": 256.0, "lora_rank": 128, "template": "phi3_chat", "base_path": "./pretrained/InternVL3-8B",
    "special_tokens": ("[SEG]", "<p>", "</p>", "<vp>", "</vp>"), "pretrained_pth": None,
}  # fmt: skip


def check(text, unread=(), **other):
    """Each field is right or among those not read, and only those are."""
    config = read_training_config(text, "config.py")
    for field, value in {**RIGHT, **other}.items():
        assert getattr(config, field) == (None if field in unread else value), field
    names = {entry.split(":")[0] for entry in config.unread} - {"statement"}
    assert names == {{"lora_alpha": "llm_lora"}.get(field, field) for field in unread if field != "lora_rank"}, names
    return config


def test_the_plain_one():
    check(WHOLE)


@pytest.mark.parametrize(
    "text",
    [
        "def dataset(name, **more):\n    return dict(type=name, template=prompt_template, t=special_tokens, **more)\n"
        "\n\ntrain = [dataset('a'), dataset('b', repeats=2)]\n",
        "def image_path(name):\n    return os.path.join(root, name)\n\n\n"
        "root = 'data'\nfolders = [image_path(one) for one in ('a', 'b')]\n",
        "if os.getenv('DEBUG'):\n    batch_size = 1\nelse:\n    batch_size = 2\n",
        "for name in ('a', 'b'):\n    print(f'{name}: {path}')\n",
        "assert '[SEG]' in special_tokens, 'needed'\n",
        "workers = int(os.environ.get('WORKERS', 4))\nlr = float(os.getenv('LR', '4e-5')) * workers\n",
        "tokenizer = dict(type=AutoTokenizer.from_pretrained, pretrained_model_name_or_path=path)\n",
        "evaluation = deepcopy(model)\nevaluation['pretrained_pth'] = 'x.pth'\n",
        "with open('log.txt', 'w') as stream:\n    stream.write(path)\n",
        "try:\n    import deepspeed\nexcept ImportError:\n    deepspeed = None\n",
        "class Hook:\n    def run(self, runner):\n        runner.log(path)\n",
        "steps = [{'lr': 0.1 * n} for n in range(3)]\n",
        "n_tokens = len(special_tokens)\nn_tokens += 1\n",
        "_ = sorted(special_tokens)\n",
    ],
    ids=["helper", "paths", "if", "for", "assert", "getenv", "tokenizer", "copy", "with", "try", "class", "list",
         "count", "sorted"],
)  # fmt: skip
def test_what_stands_beside_the_settings_leaves_them_known(text):
    check(WHOLE + text)
    check(IMPORTS + PATH + TEMPLATE + TOKENS + "model = None\n" + text.replace("deepcopy(model)", "dict()") + MODEL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("llm_lora=dict(type=LoraConfig, r=128, lora_alpha=256)", "llm_lora=dict(**common, lora_alpha=256)"),
        ("llm_lora=dict(type=LoraConfig, r=128, lora_alpha=256)", "llm_lora={**common, 'lora_alpha': 2 * common['r']}"),
        ("llm_lora=dict(type=LoraConfig, r=128, lora_alpha=256)", "llm_lora=dict(common, lora_alpha=rank * 2)"),
        ("lora_alpha=256", "lora_alpha=rank + rank"),
        ("lora_alpha=256", "lora_alpha=512 // 2"),
        ("special_tokens=special_tokens", "special_tokens=base_tokens + ['<vp>', '</vp>']"),
        ("prompt_template = PROMPT_TEMPLATE.phi3_chat", "prompt_template = PROMPT_TEMPLATE[template]"),
        ("prompt_template = PROMPT_TEMPLATE.phi3_chat", "prompt_template = dict(INSTRUCTION='<|user|>{input}')"),
        ("template = 'phi3_chat'\n", ""),
        ("path = './pretrained/InternVL3-8B'", "path = './pretrained/' + 'InternVL3-8B'"),
        ("    pretrained_pth=None,\n", ""),
        ("llm_lora=", "visual_encoder_lora=dict(type=LoraConfig, r=8, lora_alpha=16, use_rslora=True), llm_lora="),
        ("mllm=dict(", "image_lora=dict(r=8, lora_alpha=16), mllm=dict("),
    ],
)  # fmt: skip
def test_settings_put_together_from_others_are_right(old, new):
    start = "rank = 128\ncommon = dict(type=LoraConfig, r=rank)\nbase_tokens = ['[SEG]', '<p>', '</p>']\n"
    assert old in WHOLE
    check(IMPORTS + start + WHOLE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "unread"),
    [
        ("lora_alpha=256", "lora_alpha=int(os.getenv('ALPHA', 256))", ("alpha only",)),
        ("template = 'phi3_chat'", "template = os.getenv('TEMPLATE', 'phi3_chat')", ("template",)),
        ("template = 'phi3_chat'", "template = 'phi3_chat' if os.getenv('PHI') else 'qwen_chat'", ("template",)),
        ("special_tokens = [", "special_tokens = os.getenv('TOKENS', '').split() or [", ("special_tokens",)),
        ("pretrained_pth=None", "pretrained_pth=os.getenv('START')", ("pretrained_pth",)),
        ("pretrained_pth=None", "pretrained_pth=f'{path}.pth'", ("pretrained_pth",)),
        ("model_path=path", "model_path=os.path.join('a', path)", ("base_path",)),
        ("llm_lora=dict(type=LoraConfig, r=128, lora_alpha=256)", "llm_lora=lora(128)", ("lora_alpha", "lora_rank")),
        ("dict(type=LoraConfig, r=128, lora_alpha=256)", "dict(**dict(lora(4)))", ("lora_alpha", "lora_rank")),
    ],
)  # fmt: skip
def test_settings_from_outside_are_named_and_no_others(old, new, unread):
    helper = "\n\ndef lora(rank):\n    return dict(type=LoraConfig, r=rank, lora_alpha=2 * rank)\n\n\n"
    assert old in WHOLE
    text = IMPORTS + helper + WHOLE.replace(old, new)
    if unread == ("alpha only",):
        config = read_training_config(text, "config.py")
        assert config.lora_alpha is None and config.lora_rank == 128
        assert config.unread_text("lora_alpha") == "int(os.getenv('ALPHA', 256))"
    else:
        check(text, unread)


@pytest.mark.parametrize(
    ("change", "unread"),
    [
        ("if os.getenv('SMALL'):\n    template = 'qwen_chat'\n", ("template",)),
        ("if os.getenv('MORE'):\n    special_tokens.append('<more>')\n", ("special_tokens",)),
        ("special_tokens += ['<more>']\n", ("special_tokens",)),
        ("for token in ('<a>', '<b>'):\n    special_tokens.append(token)\n", ("special_tokens",)),
        ("def more(tokens):\n    tokens.append('<more>')\n\n\nmore(special_tokens)\n", ("special_tokens",)),
        ("def extend():\n    special_tokens.append('<more>')\n\n\nextend()\n", ("special_tokens",)),
        ("extra = special_tokens\nextra.append('<more>')\n", ("special_tokens",)),
        ("done = list(map(special_tokens.append, ['<more>']))\n", ("special_tokens",)),
    ],
)
def test_what_changes_a_setting_before_the_model_is_made_is_noticed(change, unread):
    """`model` is made after it, from the names that were changed."""
    check(IMPORTS + PATH + TEMPLATE + TOKENS + change + MODEL, unread)


@pytest.mark.parametrize(
    "change",
    [
        "model['mllm']['llm_lora']['lora_alpha'] = 512\n",
        "model.update(pretrained_pth='x.pth')\n",
        "if os.getenv('X'):\n    model['mllm']['llm_lora'].update(r=8)\n",
        "def tune(config):\n    config['mllm']['llm_lora']['r'] = 8\n    return config\n\n\nother = tune(model)\n",
        "globals()['model'] = None\n",
        "exec('model = None')\n",
        "from .overrides import *\n",
    ],
)
def test_what_changes_the_model_leaves_nothing_of_it_known(change):
    config = read_training_config(WHOLE + change, "config.py")
    assert config.lora_alpha is None and config.lora_rank is None and config.pretrained_pth is None
    assert config.unread_text("llm_lora") is not None
    assert config.unread_text("pretrained_pth") is not None or config.values["model"]["pretrained_pth"] is None


def test_what_another_file_defines_is_not_read_as_absent():
    config = read_training_config("from .base import *\n" + IMPORTS + PATH, "config.py")
    for field in ("llm_lora", "visual_encoder_lora", "template", "special_tokens", "pretrained_pth"):
        assert config.unread_text(field) == "from .base import *", field


@pytest.mark.parametrize(
    "text", ["_base_ = './other.py'\n", "with read_base():\n    from .other import *\n    from .more import model\n"]
)
def test_a_config_that_takes_over_another_says_so(text):
    assert read_training_config(IMPORTS + text + WHOLE, "config.py").inherited
    assert read_training_config(WHOLE, "config.py").inherited is None


def test_several_adapters_keep_their_settings():
    text = WHOLE.replace("llm_lora=", "visual_encoder_lora=dict(type=LoraConfig, r=8, lora_alpha=16), llm_lora=")
    adapters = read_training_config(text, "config.py").adapters
    assert {part: (one.rank, one.alpha) for part, one in adapters.items()} == {
        AdapterPart.LANGUAGE: (128, 256.0),
        AdapterPart.VISION: (8, 16.0),
    }
