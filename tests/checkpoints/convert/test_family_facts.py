"""What is known of each family, and how a config tells which it is."""

import pytest

from helpers.checkpoints.convert.families import FAMILIES, FamilyFacts, facts_of, language_config
from helpers.model.configuration_sa2va import Family

INTERNVL, QWEN2_5, QWEN3 = Family.INTERNVL, Family.QWEN2_5_VL, Family.QWEN3_VL
OF_QWEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
# Only Qwen's prompts are made by the base's own template, its checkpoints have no projector, its exports untie the
# head, and its training cuts the rows of padding off.
EXPECTED = {
    INTERNVL: FamilyFacts(
        INTERNVL, "InternVL", ("<img>", "</img>", "<IMG_CONTEXT>"),
        asks_chat_template=False, has_projector=True, ties_head=True, rows_are_ids=False,
    ),
    QWEN2_5: FamilyFacts(
        QWEN2_5, "Qwen2.5-VL", OF_QWEN,
        asks_chat_template=True, has_projector=False, ties_head=False, rows_are_ids=True,
    ),
    QWEN3: FamilyFacts(
        QWEN3, "Qwen3-VL", OF_QWEN,
        asks_chat_template=True, has_projector=False, ties_head=False, rows_are_ids=True,
    ),
}  # fmt: skip


def test_facts_of_each_family():
    assert dict(FAMILIES) == EXPECTED


@pytest.mark.parametrize("section", [None, "text_config", "vision_config"])
@pytest.mark.parametrize("end", ["", "_text", "_vision"])
@pytest.mark.parametrize(("kind", "family"), [("qwen2_5_vl", QWEN2_5), ("qwen3_vl", QWEN3)])
def test_a_model_type_tells_the_family_wherever_it_stands(kind, family, end, section):
    said = {"model_type": kind + end}
    assert facts_of({section: said} if section else said).family is family
    assert facts_of({"model_type": "sa2va_chat", "text_config": said}).family is family
    assert facts_of({"other": said}).family is INTERNVL


def test_a_folder_of_this_kit_names_its_family():
    assert facts_of({"sa2va_format_version": 1, "family": "qwen3_vl"}).family is QWEN3
    assert facts_of({"sa2va_format_version": 1, "model_type": "qwen3_vl"}).family is INTERNVL
    assert facts_of({"family": "qwen3_vl"}).family is facts_of({"text_config": None}).family is INTERNVL


@pytest.mark.parametrize("section", ["llm_config", "text_config"])
def test_the_language_models_settings_are_those_of_a_section_or_the_config_itself(section):
    assert language_config({section: {"a": 1}, "a": 2}) == {"a": 1}
    assert language_config({section: None, "a": 2}) == {section: None, "a": 2}
    assert language_config({"llm_config": {"a": 1}, "text_config": {"a": 2}}) == {"a": 1}
