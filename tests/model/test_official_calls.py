"""Calls as users of the official models write them work with equal masks, or are refused in one line."""

import copy
import logging
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoProcessor, AutoTokenizer, pipeline
from transformers.dynamic_module_utils import get_relative_imports

import helpers.model
from helpers.model.official_calls import in_order, require_one_device, texts_for
from tests.support.tiny_sources import FIXTURES

CODE = Path(helpers.model.__file__).parent
TEXT = "Please segment the vessels."


@pytest.fixture(scope="module")
def loaded(fixture_folder):
    """The model, whose SAM2 encoder computes the same pixels once."""
    model = AutoModel.from_pretrained(fixture_folder, trust_remote_code=True, dtype=torch.float32).eval()
    seen = Seen(model.sam2.vision_encoder.forward)
    model.sam2.vision_encoder.forward = seen
    return model, AutoTokenizer.from_pretrained(fixture_folder, trust_remote_code=True)


class Seen:
    """A function of one tensor that keeps what it returned, by the tensor's bytes; a copy of it shares what is kept."""

    kept = {}

    def __init__(self, compute):
        self.compute = compute

    def __call__(self, pixels, **others):
        key = (str(pixels.dtype), pixels.numpy().tobytes())
        if key not in self.kept:
            self.kept[key] = self.compute(pixels, **others)
        return copy.deepcopy(self.kept[key])  # what comes behind it writes into it


@pytest.fixture(scope="module")
def path():
    return FIXTURES / "images/image_01.png"


@pytest.fixture(scope="module")
def expected(loaded, path):
    model, tokenizer = loaded
    result = model.predict_forward(image=Image.open(path), text=TEXT, tokenizer=tokenizer)
    assert result["prediction_masks"][0].any()
    return result


def same(found, expected):
    return found["prediction"] == expected["prediction"] and all(
        np.array_equal(ours, theirs)
        for ours, theirs in zip(found["prediction_logits"], expected["prediction_logits"], strict=True)
    )


class Kept(logging.Handler):
    """Keeps messages; caplog's own handler hears them twice where CI=1 makes transformers' logger propagate."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture
def said():
    """What is warned of through transformers' logger, from a state in which nothing was said yet."""
    logger = logging.getLogger("transformers")
    type(logger).warning_once.cache_clear()
    kept = Kept()
    logger.addHandler(kept)
    yield lambda: kept.messages
    logger.removeHandler(kept)


def test_image_text_and_tokenizer_are_taken_by_place(loaded, path, expected):
    model, tokenizer = loaded
    image = Image.open(path)
    assert same(model.predict_forward(image, TEXT, tokenizer), expected)
    assert same(model.predict_forward(image, TEXT, tokenizer=tokenizer), expected)
    assert same(model.predict_forward(image, None, TEXT, "", None, tokenizer), expected)  # the official order


def test_a_path_and_an_array_give_the_masks_of_the_opened_image(loaded, path, expected):
    model, tokenizer = loaded
    for image in (path, str(path), np.asarray(Image.open(path)), np.asarray(Image.open(path).convert("RGB"))):
        assert same(model.predict_forward(image, TEXT, tokenizer), expected)


def test_a_list_of_images_gives_a_list_of_results(loaded, path, expected):
    model, tokenizer = loaded
    other = FIXTURES / "images/image_02.png"
    alone = model.predict_forward(other, "Hello", tokenizer)
    both = model.predict_forward([path, Image.open(other)], [TEXT, "Hello"], tokenizer)
    assert len(both) == 2 and same(both[0], expected) and same(both[1], alone)
    one = model.predict_forward(image=(np.asarray(Image.open(path)),), text=TEXT, tokenizer=tokenizer)
    assert len(one) == 1 and same(one[0], expected)


def test_a_video_of_paths_and_arrays_is_one_sequence(loaded, path):
    model, tokenizer = loaded
    grey = np.asarray(Image.open(path))
    opened = model.predict_forward(video=[Image.open(path)] * 2, text=TEXT, tokenizer=tokenizer)
    assert same(model.predict_forward(video=[path, grey], text=TEXT, tokenizer=tokenizer), opened)
    assert same(model.predict_forward(None, [path, str(path)], TEXT, "", None, tokenizer), opened)


def test_a_processor_has_no_effect_and_that_is_said_once(loaded, path, expected, said):
    model, tokenizer = loaded
    for _ in range(2):
        assert same(model.predict_forward(path, TEXT, tokenizer, processor=tokenizer), expected)
    assert [text for text in said() if "processor" in text] == [
        "processor: has no effect, since the model prepares its images itself. It needs the tokenizer"
    ]


def test_use_flash_attn_has_no_effect_and_that_is_said_once(fixture_folder, loaded, path, expected, said):
    for _ in range(2):
        model = AutoModel.from_pretrained(
            fixture_folder, trust_remote_code=True, dtype=torch.float32, low_cpu_mem_usage=True, use_flash_attn=True
        )
    assert same(model.eval().predict_forward(path, TEXT, loaded[1]), expected)
    assert len([text for text in said() if "use_flash_attn: has no effect" in text]) == 1


@pytest.mark.parametrize("name", ["chat", "generate", "preparing_for_generation", "forward", "__call__"])
def test_other_calls_of_the_official_models_say_what_to_call(loaded, path, name):
    model, tokenizer = loaded
    kind = NotImplementedError if name in ("forward", "__call__") else AttributeError
    with pytest.raises(kind, match="call model.predict_forward") as caught:
        getattr(model, name)(tokenizer, None, "Hello", max_new_tokens=3)
    assert len(str(caught.value).splitlines()) == 1


def test_transformers_takes_the_class_as_it_is(loaded):
    """One with a method `generate` would be replaced by another class, which cannot be pickled."""
    model, _ = loaded
    assert not model.can_generate() and not hasattr(model, "generate")
    assert type(model) is sys.modules[type(model).__module__].Sa2VAModel


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": np.zeros((4, 4))}, "image: expected a PIL image, a path, or a numpy array uint8"),
        ({"image": torch.zeros(3, 4, 4)}, "got Tensor"),
        ({"image": "no/such.png"}, "image: no/such.png: expected an image file, found none"),
        ({"image": []}, "image: expected at least one image"),
        ({"image": [Image.new("L", (4, 4)), None]}, "image 2 of 2: expected a PIL image"),
        ({"image": [[Image.new("L", (4, 4))]]}, "image 1 of 1: expected a PIL image.*got list"),
        ({"text": ["a", "b"]}, "text: expected one text, or one for each image, got 2 for 1"),
        ({"image": [Image.new("L", (4, 4))] * 3, "text": ["a", "b"]}, "got 2 for 3"),
        ({"text": 7}, "text: expected str, got int"),
        ({"image": [Image.new("L", (4, 4))], "past_text": "x"}, "image: expected neither past_text"),
        ({"video": "film.mp4", "text": "Hello"}, "text: expected one value in its place, got str and str"),
        (
            {"image": None, "video": "film.mp4", "text": None},
            "video: expected a list of images, one a frame, got the t",
        ),
        (
            {"image": None, "video": "film.mp4", "text": "Hello"},
            "video: expected a list of images, one a frame, got th",
        ),
        ({"image": None, "video": Image.new("L", (4, 4))}, "video: expected a list of images, one a frame, got "),
        ({"image": None, "video": [np.zeros((4, 4))]}, "video, frame 1 of 1: expected a PIL image"),
        ({"video": [Image.new("L", (4, 4))]}, "video: expected neither image"),
        ({"tokenizer": "my-model"}, "tokenizer: expected AutoTokenizer.from_pretrained"),
    ],
)
def test_what_is_not_taken_is_told_in_one_line(loaded, changes, words):
    model, tokenizer = loaded
    call = {"image": Image.new("L", (4, 4)), "text": "Hello", "tokenizer": tokenizer} | changes
    with pytest.raises(ValueError, match=words) as caught:
        model.predict_forward(**call)
    assert len(str(caught.value).splitlines()) == 1


def test_masks_that_are_no_numbers_are_refused(loaded, path):
    model, tokenizer = loaded
    broken = copy.deepcopy(model)
    broken.sam2.mask_decoder.iou_token.weight.data.fill_(float("inf"))
    with pytest.raises(ValueError, match="the model overflows torch.float32. Load it with dtype=torch.bfloat16"):
        broken.predict_forward(path, TEXT, tokenizer)


def test_a_model_on_several_devices_is_refused(loaded, path):
    model, tokenizer = loaded
    require_one_device(model)
    spread = copy.deepcopy(model)
    spread.seg_projection.to("meta")
    with pytest.raises(ValueError, match="lies on cpu, meta, but computes on one device only. Load it with device_"):
        spread.predict_forward(path, TEXT, tokenizer)


@pytest.mark.parametrize("kind", ["deepcopy", "pickle", "compile", "causal"])
def test_other_ways_to_have_the_model_give_equal_masks(fixture_folder, loaded, path, expected, kind):
    model, tokenizer = loaded
    folder = {"pretrained_model_name_or_path": fixture_folder, "trust_remote_code": True}
    made = {
        "deepcopy": lambda: copy.deepcopy(model),
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "compile": lambda: torch.compile(model),
        "causal": lambda: AutoModelForCausalLM.from_pretrained(**folder, torch_dtype="float32"),
    }[kind]()
    found = made.eval().predict_forward(path, TEXT, tokenizer)
    assert np.array_equal(found["prediction_masks"], expected["prediction_masks"])


def test_a_saved_model_loads_with_every_tensor(fixture_folder, loaded, path, expected, tmp_path):
    model, tokenizer = loaded
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, told = AutoModel.from_pretrained(
        tmp_path, trust_remote_code=True, dtype=torch.float32, output_loading_info=True
    )
    assert not any(told.values())
    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    found = again.eval().predict_forward(path, TEXT, AutoTokenizer.from_pretrained(tmp_path))
    assert found["prediction"] == expected["prediction"]
    # Not bit for bit: the weights lie elsewhere in memory, and several threads then add in another order.
    assert np.allclose(found["prediction_logits"], expected["prediction_logits"], atol=1e-4)
    code = {file.name for file in fixture_folder.glob("*.py")}
    assert code == {file.name for file in tmp_path.glob("*.py")}


def test_the_model_names_every_file_of_its_code():
    """Of a folder, transformers 4 takes along what the file of the class imports, and not what that imports in turn."""
    names = {path.stem for path in CODE.glob("*.py")} - {"__init__", "modeling_sa2va"}
    assert set(get_relative_imports(CODE / "modeling_sa2va.py")) == names
    assert set(get_relative_imports(CODE / "configuration_sa2va.py")) == {"sam2_sizes"}
    for alone in ("sam2_sizes", "segmentation_pipeline"):
        assert get_relative_imports(CODE / f"{alone}.py") == []


def test_auto_classes_answer(fixture_folder, loaded, path, expected):
    config = AutoConfig.from_pretrained(fixture_folder, trust_remote_code=True)
    assert config.token_ids == loaded[0].config.token_ids and config.sam2_sizes == loaded[0].config.sam2_sizes
    processor = AutoProcessor.from_pretrained(fixture_folder, trust_remote_code=True)
    assert same(loaded[0].predict_forward(path, TEXT, processor), expected)  # the tokenizer: there is no processor


def test_the_pipeline_of_transformers_gives_the_same_masks(fixture_folder, loaded, path, expected, tmp_path):
    pipe = pipeline("image-segmentation", model=str(fixture_folder), trust_remote_code=True, dtype=torch.float32)
    (found,) = pipe(Image.open(path), prompt=TEXT)
    assert np.array_equal(np.asarray(found["mask"]), expected["prediction_masks"][0][0] * np.uint8(255))
    assert found["mask"].size == Image.open(path).size and (found["label"], found["score"]) == (TEXT, None)
    several = pipe([path, str(path)], prompt=TEXT)
    assert [len(masks) for masks in several] == [1, 1] and several[1][0]["mask"] == found["mask"]
    with pytest.raises(ValueError, match="prompt: expected the user's words"):
        pipe(path)
    with pytest.raises(TypeError, match="threshold"):
        pipe(path, prompt=TEXT, threshold=0.3)
    pipe.save_pretrained(tmp_path)
    assert (tmp_path / "segmentation_pipeline.py").is_file()


TOKENIZER = type("Tokenizer", (), {"convert_tokens_to_ids": None})()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, "a", TOKENIZER), (None, "a", TOKENIZER)),
        (("a", TOKENIZER, None), (None, "a", TOKENIZER)),
        (("a", None, TOKENIZER), (None, "a", TOKENIZER)),
        (("a", None, None), (None, "a", None)),
        ((["a", "b"], TOKENIZER, None), (None, ["a", "b"], TOKENIZER)),
        ((["1.png"], "a", TOKENIZER), (["1.png"], "a", TOKENIZER)),
    ],
)
def test_places_are_told_apart_by_what_stands_there(given, expected):
    assert in_order("image", *given) == expected


@pytest.mark.parametrize("given", [("a", "b", TOKENIZER), ("a", TOKENIZER, TOKENIZER), ("a", "b", None)])
def test_two_values_in_one_place_are_refused(given):
    with pytest.raises(ValueError, match="expected one value in its place"):
        in_order("image", *given)


def test_texts_follow_the_images():
    assert texts_for("image", "a") is None
    assert texts_for(None, None) is None
    assert texts_for([1, 2], "a") == ["a", "a"]
    assert texts_for((1, 2), ["a", "b"]) == ["a", "b"]
