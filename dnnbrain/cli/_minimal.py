"""What dnn_minstim writes: pictures as they can be read again, and a table for each target."""

from __future__ import annotations

from pathlib import Path

LOSSLESS = {'.webp': {'lossless': True}, '.jpg': {'quality': 100, 'subsampling': 0},        # JPEG: nearly
            '.jpeg': {'quality': 100, 'subsampling': 0}}


def names_of(target) -> list[str]:
    """Of targets in files: 'conv5_chn3', 'conv5_voxel_7'."""
    from dnnbrain._checks import BadValue
    from dnnbrain.interpret.synthesis.picture_saving import file_name
    from dnnbrain.interpret.target import ChannelTarget
    layers = '' if isinstance(target, ChannelTarget) else '+'.join(target.layers)
    names = [file_name(f'{layers} {name}'.strip()) for name in target.names]
    if len(set(names)) < len(names):
        raise BadValue('a channel or voxel stands twice; name each once')
    return names


def found_for_each(minimal) -> list[tuple]:
    """Minimal picture, number of parts, of parts kept, and activation of the whole picture, for each target."""
    import numpy as np
    pictures = minimal.generate_minimal_image()
    pictures = pictures[None] if minimal.single else pictures
    n_part = np.shape(minimal.activations)[-1]
    return [(picture, n_part, int(n), float(whole)) for picture, n, whole in
            zip(pictures, np.atleast_1d(minimal.n_kept), np.atleast_1d(minimal.whole_activation), strict=True)]


def write_picture(folder, title: str, picture):
    """Write a picture; returns it as it is in the file."""
    import numpy as np
    from PIL import Image

    from dnnbrain._checks import output_folder
    from dnnbrain.io.atomic import atomic
    from dnnbrain.stimuli.images import read_rgb
    path = output_folder(folder, '-out') / title
    with atomic(path) as part:
        Image.fromarray(np.ascontiguousarray(picture)).save(part, **LOSSLESS.get(path.suffix.lower(), {}))
    return read_rgb(path)


def write_tables(folder, rows: dict[str, list[dict]]) -> None:
    import pandas as pd

    from dnnbrain.io.atomic import atomic
    for name, found in rows.items():
        with atomic(Path(folder) / f'mi_{name}.csv') as part:
            pd.DataFrame(found).to_csv(part, index=False, float_format='%.6g')
