"""`transformers.pipeline("image-segmentation", model=FOLDER, trust_remote_code=True)` for an exported folder."""

from typing import Any

from PIL import Image
from transformers import AutoTokenizer, Pipeline

_IMAGE = "<image>"  # as in processing_sa2va; transformers loads this file alone

# What config.json says of it, so that transformers finds it.
PIPELINES = {
    "image-segmentation": {"impl": "segmentation_pipeline.Sa2VASegmentation", "pt": ["AutoModel"], "type": "image"}
}


class Sa2VASegmentation(Pipeline):
    """Masks of what a prompt asks for, through `predict_forward`."""

    # transformers types them as None, and its own pipelines set them so.
    _load_tokenizer = True  # type: ignore[assignment]
    _load_processor = _load_image_processor = False  # type: ignore[assignment]
    _load_feature_extractor = _load_video_processor = False  # type: ignore[assignment]

    def __init__(self, model: Any, tokenizer: Any = None, **settings: Any) -> None:
        if tokenizer is None:  # transformers 4 loads none for tasks on images
            tokenizer = AutoTokenizer.from_pretrained(model.name_or_path, trust_remote_code=True, local_files_only=True)
        super().__init__(model=model, tokenizer=tokenizer, **settings)

    def __call__(self, images: Any, prompt: str | None = None) -> list[Any]:  # type: ignore[override]
        """The masks of an image, or a list of those of each of several.

        Args:
            images: what `predict_forward` takes as `image`, or a list of such.
            prompt: the user's words, for instance "Please segment the blood vessels.".
        Returns:
            For each `[SEG]` of the answer {"mask": PIL image (L, 0 or 255) of the image's size, "label": the prompt,
            "score": None, since the model gives none}; an empty list where the answer has no `[SEG]`.
        Raises:
            ValueError: without a prompt, and as `predict_forward`.
        """
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError("prompt: expected the user's words, as in pipe(image, prompt='Segment the vessels.')")
        if isinstance(images, (list, tuple)):
            return [self(image, prompt) for image in images]
        return super().__call__(images, prompt=prompt)

    def _sanitize_parameters(self, prompt: str | None = None, **others: Any) -> tuple[dict, dict, dict]:
        if others:
            raise ValueError(f"{', '.join(sorted(others))}: expected the image and prompt= alone")
        return {}, {} if prompt is None else {"prompt": prompt}, {}

    def preprocess(self, inputs: Any) -> dict[str, Any]:  # type: ignore[override]
        return {"image": inputs}

    def _forward(self, model_inputs: dict[str, Any], prompt: str) -> dict[str, Any]:  # type: ignore[override]
        model: Any = self.model
        text = prompt if _IMAGE in prompt else f"{_IMAGE}\n{prompt}"  # as in training
        result = model.predict_forward(image=model_inputs["image"], text=text, tokenizer=self.tokenizer)
        return {"masks": result["prediction_masks"], "prompt": prompt}

    def postprocess(self, model_outputs: dict[str, Any]) -> list[dict[str, Any]]:  # type: ignore[override]
        return [
            {"score": None, "label": model_outputs["prompt"], "mask": Image.fromarray(mask[0]).convert("L")}
            for mask in model_outputs["masks"]
        ]
