"""SimpleITK and nibabel: the kit's slices read by both, and slices that each of them writes."""

import sys
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK

ITK = np.diag([-1.0, -1.0, 1.0, 1.0])  # of an image with ITK's own axes and origin


def main(folder: Path) -> None:
    read = {}
    for path in sorted((folder / "given/masks").glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        image = SimpleITK.ReadImage(str(path))
        assert image.GetOrigin() == (0, 0, 0) and image.GetSpacing() == (1, 1, 1), path
        assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1), path
        # The centre of the first pixel is the origin: half a pixel from the corner.
        assert image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0)) == (-0.5, -0.5, 0), path
        read[f"itk/{name}"] = SimpleITK.GetArrayFromImage(image)[0] > 0
        slice_ = nibabel.load(path)
        assert np.array_equal(slice_.affine, ITK), path
        read[f"nibabel/{name}"] = np.asarray(slice_.dataobj)[:, :, 0].T > 0
    np.savez(folder / "read.npz", **read)
    for tool in ("itk", "nibabel"):
        (folder / "theirs" / tool).mkdir(parents=True)
    for place, (name, mask) in enumerate(np.load(folder / "masks.npz").items()):
        values = mask.astype(np.uint8)
        image = SimpleITK.GetImageFromArray(values if place % 2 else values[None])
        image.SetSpacing((0.2,) * image.GetDimension())
        image.SetOrigin((7.5,) * image.GetDimension())
        SimpleITK.WriteImage(image, str(folder / f"theirs/itk/{name}.nii.gz"))
        stored = values.T[:, :, None].astype(np.float32 if place % 2 else np.uint8)
        nibabel.save(nibabel.Nifti1Image(stored, ITK), folder / f"theirs/nibabel/{name}.nii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
