"""Label Studio's SDK: brush layers by its converter, from the labelling interface and tasks to PNG files and back."""

import json
import sys
from pathlib import Path

import numpy as np
from label_studio_sdk.converter import Converter, brush
from PIL import Image


def main(folder: Path) -> None:
    tasks = json.loads((folder / "given/tasks.json").read_text())
    for number, task in enumerate(tasks, 1):  # what the server adds when tasks are imported and exported again
        task["id"] = number
        for annotation in task["annotations"]:
            annotation |= {"id": number, "completed_by": 1}
    exported = folder / "exported.json"
    exported.write_text(json.dumps(tasks))
    (folder / "converted").mkdir()
    converter = Converter(str(folder / "given/labels.xml"), str(folder), download_resources=False)
    converter.convert(str(exported), str(folder / "converted"), "BRUSH_TO_PNG", is_dir=False)
    names = {task["id"]: task["data"]["case_id"] for task in tasks}
    read = {}
    for path in (folder / "converted").glob("task-*.png"):
        mask = np.asarray(Image.open(path)) > 0
        name = names[int(path.name.split("-")[1])]
        read[name] = read.get(name, np.zeros_like(mask)) | mask
    np.savez(folder / "read.npz", **read)
    theirs = []
    for number, (name, mask) in enumerate(np.load(folder / "masks.npz").items(), 1):
        image = folder / "mask.png"
        Image.fromarray(mask.astype(np.uint8) * 255).save(image)
        annotation = brush.image2annotation(str(image), "vessel", "tag", "image")
        annotation["result"] = annotation["result"] if mask.any() else []
        theirs.append(
            {"id": number, "data": {"image": f"/data/upload/1/0123abcd-{name}.png"}, "annotations": [annotation]}
        )
    (folder / "theirs").mkdir()
    (folder / "theirs/export.json").write_text(json.dumps(theirs))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
