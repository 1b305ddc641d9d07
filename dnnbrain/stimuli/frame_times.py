"""When which frame of a film is on the screen."""

from __future__ import annotations

import numpy as np

from dnnbrain._checks import BadType, BadValue


def get_frame_time_info(vid_file, original_onset: float, interval: int = 1, before_vid: float = 0,
                        after_vid: float = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames of a film, every so many, with their onsets and durations: the columns of a table of type 'video'.

    Parameters
    ----------
    vid_file : str or Path
    original_onset : float, seconds
        When the presentation begins, in the time of the responses; negative if it began before them.
    interval : int
        Take one frame of so many; it stands for those up to the next one.
    before_vid, after_vid : float, seconds
        How long the first frame stands still before the film begins, and the last one after it ends.
        If not 0, each is a row of its own.

    Returns
    -------
    frame_nums : ndarray of int, shape (n,)
        Numbers from 1.
    onsets, durations : ndarray of shape (n,), seconds
        The last frame taken lasts to the end of the film, not a whole interval. Each row ends where
        the next begins.
    """
    if isinstance(interval, bool) or not isinstance(interval, int | np.integer):
        raise BadType(f'interval must be a whole number of frames, not {interval!r}')
    if interval < 1 or before_vid < 0 or after_vid < 0:
        raise BadValue(f'interval must be at least 1, before_vid and after_vid at least 0, '
                       f'not {interval}, {before_vid}, {after_vid}')
    from dnnbrain.stimuli.video import Film  # late: it needs PIL, which reading a table does not
    times = Film(vid_file).edges()
    n_frame = len(times) - 1
    taken = np.arange(0, n_frame, interval)
    numbers, edges = taken + 1, times[[*taken, n_frame]] + original_onset + before_vid
    if before_vid:
        numbers, edges = np.insert(numbers, 0, 1), np.insert(edges, 0, original_onset)
    if after_vid:
        numbers, edges = np.append(numbers, n_frame), np.append(edges, edges[-1] + after_vid)
    return numbers, edges[:-1], np.diff(edges)
