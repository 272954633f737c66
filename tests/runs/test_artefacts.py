"""The table that binds masks and logits to their run."""

import pyarrow.parquet as pq

from helpers.runs.asked_prompts import AskedPrompts
from helpers.runs.case_parts import (
    ARTEFACTS_NAME,
    artefact_table,
    commit_case,
    logits_name,
    mask_name,
    read_artefacts,
    read_part,
)
from helpers.runs.finishing import finish_run, parquet_bytes
from helpers.runs.provenance import making_text
from helpers.runs.run_config import start_run
from tests.runs.test_case_parts import VALUES, failed, result

MADE = {"torch": "2.0", "gpu": None}


def test_a_finished_run_has_the_digests_of_all_its_files_and_who_made_them(tmp_path):
    mark = start_run(tmp_path, VALUES).config_sha256
    commit_case(tmp_path, mark, result("c1"), MADE)
    commit_case(tmp_path, mark, failed("c2"))
    assert finish_run(tmp_path, ["c2", "c1"], {})
    table = pq.read_table(tmp_path / ARTEFACTS_NAME).to_pylist()
    part = read_part(tmp_path, "c1")
    mask, logits = (part.artefacts[name("c1", "p1")].sha256 for name in (mask_name, logits_name))
    made = making_text(MADE)
    assert table == [
        {
            "case_id": "c1",
            "prompt_id": "p1",
            "mask_sha256": mask,
            "logits_sha256": logits,
            "made_with": made,
            "spread_sha256": None,
        },
        {
            "case_id": "c2",
            "prompt_id": "p1",
            "mask_sha256": None,
            "logits_sha256": None,
            "made_with": None,
            "spread_sha256": None,
        },
    ]


def test_the_table_says_what_was_written_into_it(tmp_path):
    mark = start_run(tmp_path, VALUES).config_sha256
    commit_case(tmp_path, mark, result("c1"), MADE)
    part = read_part(tmp_path, "c1")
    found = read_artefacts(parquet_bytes(artefact_table([part], AskedPrompts({"p1": "vessels"}))))
    assert found.digests == {name: one.sha256 for name, one in part.artefacts.items()}
    assert found.made_with == {"c1": making_text(MADE)}
