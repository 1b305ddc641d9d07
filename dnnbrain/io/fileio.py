"""Public path of DNNBrain 1.0: one class per file format."""

from __future__ import annotations

from dnnbrain._checks import BadValue, choice, has_suffix
from dnnbrain.io import act_h5, act_writer, dmask_csv, rdm_h5, roi_h5, stim_csv


class _File:
    suffix: str

    def __init__(self, fname):
        self.fname = str(has_suffix(fname, [self.suffix], 'file'))


class StimulusFile(_File):
    """A ``.stim.csv``."""

    suffix = stim_csv.SUFFIX

    def read(self) -> dict:
        """The header entries and `data`, a dict of columns."""
        header, table = stim_csv.read_stim_csv(self.fname)
        return header | {'data': {name: table[name].to_numpy() for name in table}}

    def write(self, type: str, path: str, data: dict, **meta) -> None:
        """Write a table from its type, the folder of its files, its columns and more header entries."""
        import pandas as pd
        table = pd.DataFrame({name: stim_csv.typed_column(name, values, type) for name, values in data.items()})
        stim_csv.write_stim_csv(self.fname, {'type': type, 'path': path, **meta}, table)


class MaskFile(_File):
    """A ``.dmask.csv``."""

    suffix = dmask_csv.SUFFIX

    def read(self) -> dict:
        """Layer -> {'chn':, 'row':, 'col':}."""
        return dmask_csv.read_dmask_csv(self.fname)

    def write(self, dmask: dict) -> None:
        """Write layer -> {'chn':, 'row':, 'col':}."""
        dmask_csv.write_dmask_csv(self.fname, dmask)


class ActivationFile(_File):
    """A ``.act.h5``."""

    suffix = act_h5.SUFFIX

    def read(self, dmask: dict | None = None) -> dict:
        """Layer -> ndarray, all layers or the units of a dict as `MaskFile.read` gives it."""
        layers, _, _ = act_h5.read_act_h5(self.fname)
        values = {}
        for name in layers if dmask is None else dmask:
            layer = layers[choice('layer', name, list(layers), owner=repr(self.fname))]
            for axis, index in dmask_csv.unit_indices(dmask[name] if dmask else {}, layer.shape, name).items():
                layer = layer.select(axis, index)
            values[name] = layer[()]
        return values

    def write(self, activation: dict) -> None:
        """Write layer -> ndarray of shape (n_stim, n_chn, n_row, n_col)."""
        counts = {len(values) for values in activation.values()}
        if len(counts) != 1:
            raise BadValue(f'layers disagree in the number of stimuli: {sorted(counts)}')
        with act_writer.ActWriter(self.fname, counts.pop()) as writer:
            writer.write(activation)


class RoiFile(_File):
    """A ``.roi.h5``."""

    suffix = roi_h5.SUFFIX

    def read(self, rois=None):
        """Names and responses (n_vol, n_roi), all or of the regions asked for."""
        return roi_h5.read_roi_h5(self.fname, rois)

    def write(self, rois, data) -> None:
        """Write names and responses (n_vol, n_roi)."""
        roi_h5.write_roi_h5(self.fname, rois, data)


class RdmFile(_File):
    """A ``.rdm.h5``."""

    suffix = rdm_h5.SUFFIX

    def read(self):
        """Type ('bRDM' or 'dRDM') and upper triangles by key."""
        return rdm_h5.read_rdm_h5(self.fname)[:2]

    def write(self, rdm_type: str, rdm_dict: dict) -> None:
        """Write upper triangles by key."""
        rdm_h5.write_rdm_h5(self.fname, rdm_type, rdm_dict)
