"""Annotation files of kinds that are not read are named, by their content."""

import gzip
import json
import pickle
import zipfile

import numpy as np
import pytest

from helpers.data.audit.audit import audit
from helpers.data.audit.findings import AuditSeverity
from helpers.data.dataset import open_dataset
from helpers.data.layouts.unread_kinds import kind_of, unread_annotations
from tests.support.field_data_sets import frame, mask

CVAT = '<?xml version="1.0"?>\n<annotations>\n <version>1.1</version>\n <image id="0" name="a.png"><polygon/></image>'
VOC = "<annotation><filename>a.png</filename><object><name>vessel</name><bndbox/></object></annotation>"
VIA = {"a.png123": {"filename": "a.png", "size": 123, "regions": [{"shape_attributes": {"name": "polygon"}}]}}
STUDIO = [{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [{"type": "brushlabels"}]}]}]
STUDIO_LATER = {"id": 1, "result": [{"type": "brushlabels"}], "task": {"data": {}}}
SUPERVISELY = {"description": "", "size": {"height": 4, "width": 5}, "objects": []}
DATUMARO = {"info": {}, "categories": {}, "items": [{"id": "a", "annotations": []}]}
SHAPES = {"type": "FeatureCollection", "features": []}

TEXTS = {
    "CVAT annotations (XML)": [CVAT, "<annotations><track id='0'/></annotations>"],
    "Pascal VOC boxes (XML)": [VOC],
    "SVG drawings": ["<?xml version='1.0'?><svg xmlns='x'><path d='M0 0'/></svg>"],
    "YOLO labels (txt)": ["0 0.5 0.5 0.1 0.2\n1 .5 .5 .1 .2\n", "0 0.1 0.1 0.2 0.2 0.3 0.1 0.4 0.9\n"],
    "VIA annotations (CSV)": ["filename,file_size,region_count,region_id,region_shape_attributes,region_attributes\n"],
    "run-length codes in a CSV": ["ImageId,EncodedPixels\na.png,1 3 9 2\n", "id,rle\na,1 2\n"],
    "boxes in a CSV": ["filename,width,height,class,xmin,ymin,xmax,ymax\na.png,4,4,v,0,0,1,1\n"],
    "JSON lines (jsonl)": ['{"image": "a.png", "mask": [1]}\n{"image": "b.png"}\n'],
    "VIA annotations (JSON)": [json.dumps(VIA), json.dumps({"_via_img_metadata": VIA, "_via_settings": {}})],
    "Label Studio annotations (JSON)": [json.dumps(STUDIO), json.dumps(STUDIO_LATER)],
    "Supervisely annotations (JSON)": [json.dumps(SUPERVISELY)],
    "Datumaro annotations (JSON)": [json.dumps(DATUMARO)],
    "GeoJSON shapes": [json.dumps(SHAPES)],
    "COCO results (JSON)": [
        json.dumps([{"image_id": 1, "category_id": 1, "segmentation": {}, "score": 0.5}]),
        json.dumps([{"file_name": "a.png", "category_id": 0, "segmentation": {"size": [4, 4], "counts": "40"}}]),
    ],
    "CreateML annotations (JSON)": [json.dumps([{"image": "a", "annotations": [{"label": "v", "coordinates": {}}]}])],
}
BYTES = {
    "NRRD volumes": b"NRRD0004\ntype: short\n",
    "MATLAB files": b"MATLAB 5.0 MAT-file, Platform: GLNXA64",
    "HDF5 files": b"\x89HDF\r\n\x1a\n" + bytes(99),
    "ImageJ ROIs": b"Iout\x00\xe4" + bytes(60),
    "NIfTI volumes": (348).to_bytes(4, "little") + bytes(340) + b"n+1\x00" + bytes(99),
    "MetaImage volumes": b"ObjectType = Image\nNDims = 2\n",
    "pickles, which are never loaded since they can run programs": pickle.dumps({"a": 1}),
}
OTHERS = [
    "", "patient,file\nP1,a.png\n", "read me\n", "vessel\ncatheter\n", "0 1\n2 3\n", '{"a": 1}', "[1, 2]", "<html><p>",
    json.dumps({"labels": {"background": 0, "vessel": 1}, "channel_names": {"0": "XA"}, "numTraining": 3}),
    json.dumps([{"image": "a.png", "mask": [[1, 1, 2, 2, 3, 1]], "text": ["vessel"]}]),
    json.dumps({"images": [], "annotations": [], "categories": []}),
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".txt", ".json", ".dat", ""])
def test_texts_are_told_by_content_whatever_their_suffix(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    for kind, texts in TEXTS.items():
        for text in texts:
            path.write_text(text)
            assert kind_of(path) == kind
    for text in OTHERS:
        path.write_text(text)
        assert kind_of(path) is None, text


def test_other_files_are_told_by_content(tmp_path):
    path = tmp_path / "a.bin"
    for kind, content in BYTES.items():
        path.write_bytes(content)
        assert kind_of(path) == kind
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.savez(tmp_path / "a.npz", mask=np.zeros(3))
    with zipfile.ZipFile(tmp_path / "rois.zip", "w") as archive:
        archive.writestr("0001.roi", b"Iout")
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(BYTES["NIfTI volumes"]))
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 9)
    kinds = [kind_of(tmp_path / name) for name in ("a.npy", "a.npz", "rois.zip", "a.nii.gz", "noise", "missing")]
    assert kinds == [
        "NumPy arrays (npy)", "NumPy arrays (npz)", "ImageJ ROIs", "NIfTI volumes", None, None,
    ]  # fmt: skip


def test_a_data_set_with_such_files_says_so(tmp_path):
    for seed in range(12):
        frame(tmp_path / "images" / f"{seed}.png", seed)
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{seed}.txt").write_text("0 0.5 0.5 0.1 0.2\n")
    (tmp_path / "data.yaml").write_text("names: [vessel]\n")
    (tmp_path / "project.json").write_text(json.dumps(STUDIO))
    assert unread_annotations(tmp_path) == {"Label Studio annotations (JSON)": 1, "YOLO labels (txt)": 12}
    found = [one for one in audit(open_dataset(tmp_path)).findings if one.kind == "unread_annotations"]
    assert [one.severity for one in found] == [AuditSeverity.WARNING] * 2
    assert found[1].what == "12 annotation files of a kind that is not read: YOLO labels (txt)"
    for seed in range(12):
        mask(tmp_path / "masks" / f"{seed}.png", seed)
    found = [one for one in audit(open_dataset(tmp_path)).findings if one.kind == "unread_annotations"]
    assert [one.severity for one in found] == [AuditSeverity.NOTE] * 2
