"""The digest that tells frames apart, whatever files hold them."""

import hashlib

from PIL import Image


def pixel_sha256(image: Image.Image) -> str:
    """SHA-256 of a frame's size (`WxH:`) and RGB bytes, so that it is the same whatever file holds the frame."""
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).hexdigest()
