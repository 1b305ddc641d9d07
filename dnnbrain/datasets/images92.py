"""92 object pictures, and how dissimilar human and monkey inferior temporal cortex find them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from dnnbrain._checks import BadPath, BadValue, creatable_folder, existing_file
from dnnbrain.io.atomic import atomic
from dnnbrain.io.download import data_home, download
from dnnbrain.io.rdm_h5 import n_items
from dnnbrain.io.stim_csv import write_stim_csv
from dnnbrain.mapping.rdm import RDM
from dnnbrain.stimuli.stimulus import Stimulus

SITE = 'https://raw.githubusercontent.com/rsagroup/rsatoolbox'
PICTURES, SESSIONS = 'Kriegeskorte_Neuron2008_supplementalData.mat', '92_brainRDMs.mat'
FILES = {               # name: (where it is, at a commit that stays; SHA-256)
    PICTURES: (f'{SITE}/9ac4b5cdcb702c02481cabba33c551d187d50b6c/demos/92imageData/{PICTURES}',
               '06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504'),
    SESSIONS: (f'{SITE}/a019e37ee631456aa99425efb33cb4e26e9ea181/demos/92imageData/{SESSIONS}',
               '1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c'),
}
AREAS = ('hIT', 'mIT')                  # how their names in the file begin


@dataclass(frozen=True)
class Images92:
    """What `fetch_92images` finds.

    Attributes
    ----------
    stimuli : Stimulus
        92 pictures, 175 x 175 pixels. Columns stimID, label (0 to 5), condition (one of six
        categories, such as 'human face'), animacy ('animate', 'inanimate'), and human, face,
        natural (1 or 0).
    areas : RDM
        'hIT' (human, 316 voxels, mean of 4 subjects x 2 sessions) and 'mIT' (monkey, 674 neurons):
        1 - Pearson correlation of patterns.
    subjects : RDM
        Human inferior temporal cortex of each subject ('BE', 'KO', 'SN', 'TI'), mean over sessions.
    sessions : ndarray of shape (n_subject, n_session, n_stim, n_stim), float64
    """

    stimuli: Stimulus
    areas: RDM
    subjects: RDM
    sessions: np.ndarray = field(repr=False)


def fetch_92images(path=None, out=None) -> Images92:
    """92 object pictures with RDMs of human and monkey inferior temporal cortex.

    Kriegeskorte et al. 2008, Neuron 60:1126, doi 10.1016/j.neuron.2008.10.043, as distributed with
    rsatoolbox (MIT licence, folder ``demos/92imageData``). Nothing is downloaded if `path` is given.

    Parameters
    ----------
    path : str or Path, optional
        Folder that holds ``Kriegeskorte_Neuron2008_supplementalData.mat`` (3.6 MB) and
        ``92_brainRDMs.mat`` (0.2 MB). Left out, they are downloaded once and verified, to
        ``$DNNBRAIN_DATA/datasets/92images`` or ``~/.cache/dnnbrain/datasets/92images``.
    out : str or Path, optional
        Folder that gets the pictures, as ``pictures/01_human_bodypart.png`` and so on, and
        ``92images.stim.csv``. The folder of downloads by default.

    Returns
    -------
    data : Images92

    Raises
    ------
    BadPath
        A file is not there or cannot be downloaded.
    BadValue
        A file is damaged, or holds something else.
    """
    cache = data_home() / 'datasets' / '92images'
    out = creatable_folder(cache if out is None else out, 'out')
    found = {name: existing_file(_there(Path(path), name), 'file') if path is not None else
             download(url, cache / name, sha256) for name, (url, sha256) in FILES.items()}
    pictures, pairs = _parse(found[PICTURES], _pictures)
    subjects, sessions = _parse(found[SESSIONS], _sessions)
    counts = {PICTURES: {len(pictures), *(n_items(len(p)) for p in pairs.values())}, SESSIONS: {sessions.shape[-1]}}
    if len(set.union(*counts.values())) > 1:
        raise BadValue(f'the two files of the 92 pictures do not belong together: numbers of items are {counts}')
    stimuli = _write(pictures, out)
    upper = np.triu_indices(len(pictures), 1)
    means = {name: rdm[upper] for name, rdm in zip(subjects, sessions.mean(axis=1), strict=True)}
    return Images92(stimuli, _rdm(pairs, stimuli), _rdm(means, stimuli), sessions)


def _there(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise BadPath(f'path {str(folder)!r} is not a folder; give the one that holds {" and ".join(FILES)}')
    if not (folder / name).exists():
        raise BadPath(f'path {str(folder)!r} holds no {name}; get it from {FILES[name][0]}, or leave path out to '
                      'download it')
    return folder / name


def _parse(path: Path, reader):
    """What a reader finds in a ``.mat``; a sentence for a file that is damaged or another one."""
    import scipy.io
    try:
        return reader(scipy.io.loadmat(path, squeeze_me=True))
    except (ValueError, TypeError, OSError, KeyError, IndexError, NotImplementedError) as error:
        raise BadValue(f'file {str(path)!r} is damaged, or not {path.name} of the 92 pictures ({error}); '
                       f'get {FILES[path.name][0]}') from None


def _pictures(mat: dict) -> tuple[list[dict], dict[str, np.ndarray]]:
    """A dict per picture (image, category, animal ...), and the upper triangle of each area."""
    objects, rdms = np.atleast_1d(mat['stimuli_92objs']), np.atleast_1d(mat['RDMs_mIT_hIT_fig1'])
    fields = ('image', 'category', 'animal', 'human', 'face', 'natural')
    pictures = [{name: row[name] for name in fields} for row in objects]
    pairs = {area: np.asarray(rdm['RDM'], dtype=np.float64) for area in AREAS for rdm in rdms
             if str(rdm['name']).startswith(area)}
    if set(pairs) != set(AREAS):
        raise ValueError(f'no RDM of {" or ".join(sorted(set(AREAS) - set(pairs)))}')
    return pictures, pairs


def _sessions(mat: dict) -> tuple[list[str], np.ndarray]:
    """Names of subjects, and RDMs of shape (n_subject, n_session, n_stim, n_stim)."""
    rdms = np.atleast_2d(mat['RDMs'])
    subjects = [str(row[0]['name']).split('|')[1].strip() for row in rdms]       # 'hIT | BE | Session: 1'
    return subjects, np.array([[rdm['RDM'] for rdm in row] for row in rdms], dtype=np.float64)


def _write(pictures: list[dict], out: Path) -> Stimulus:
    """The pictures as PNG with a table, each file whole whoever else writes it."""
    from PIL import Image
    (out / 'pictures').mkdir(parents=True, exist_ok=True)
    rows, categories = [], list(dict.fromkeys(str(row['category']) for row in pictures))
    for number, row in enumerate(pictures, 1):
        category = str(row['category'])
        file = f'{number:02d}_{category.replace(" ", "_")}.png'
        with atomic(out / 'pictures' / file) as part:
            Image.fromarray(np.ascontiguousarray(row['image'], dtype=np.uint8)).save(part)
        rows.append({'stimID': file, 'label': categories.index(category), 'condition': category,
                     'animacy': 'animate' if row['animal'] else 'inanimate',
                     **{name: int(row[name]) for name in ('human', 'face', 'natural')}})
    write_stim_csv(out / '92images.stim.csv', {'type': 'image', 'path': 'pictures', 'title': '92 object pictures'},
                   pd.DataFrame(rows))
    stimuli = Stimulus()
    stimuli.load(out / '92images.stim.csv')
    return stimuli


def _rdm(triangles: dict[str, np.ndarray], stimuli: Stimulus) -> RDM:
    rdm = RDM('bRDM', item_ids=stimuli.get('stimID'), descriptors={'category': stimuli.get('condition')},
              meta={'metric': 'correlation'})
    for key, pairs in triangles.items():
        rdm.set(key, pairs, triu=True)
    return rdm
