"""What every space for images asks of a task."""

from __future__ import annotations

from archwright.core.errors import ArchwrightError
from archwright.core.signature import Signature


def image_channels(signature: Signature) -> int:
    """The channels of the task's images.

    Raises:
        ArchwrightError: an example is not an image.
    """
    if len(signature.input_shape) != 3:
        raise ArchwrightError(
            f"this space builds networks for images (channels, height, width), but an example of the task has the "
            f"shape {signature.input_shape}; for vectors there is autonet (--space autonet), for text darts_rnn and "
            "enas_rnn; else give a space of your own: archwright.Space(YourModule, ...)"
        )
    return signature.input_shape[0]
