"""How stimuli were changed before a network saw them, in words."""

from __future__ import annotations

import re

_SIZE = r'[\[(]?(\d+)(?:, (\d+))?'


def shown_as(transform: str) -> list[str]:
    """What a transform does, as the text of it says: ['resized to 224 × 224 pixels', 'normalised by ...']."""
    found = []
    if frames := re.search(r'n_frame=(\d+)', transform):
        found.append(f'as {frames[1]} frames each')
    if resized := re.search(rf'(?:\bResize\(size|resize_size|\bn_frame=\d+, size)={_SIZE}', transform):
        found.append(f'resized to {resized[1]} × {resized[2]} pixels' if resized[2] else
                     f'resized to {resized[1]} pixels along the shorter side')
    if cropped := re.search(rf'(?:CenterCrop\(size|crop_size)={_SIZE}', transform):
        found.append(f'cropped to the central {cropped[1]} × {cropped[2] or cropped[1]} pixels')
    if 'Normalize' in transform or 'ImageClassification' in transform:
        found.append('normalised by mean and standard deviation per colour')
    return found
