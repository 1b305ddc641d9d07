"""Peak memory of this process alone. `ru_maxrss` would also count the process that started it."""

import resource
from pathlib import Path


def peak_mb() -> float:
    """The most memory held since this program began, in MB."""
    status = Path('/proc/self/status')
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line, = (line for line in status.read_text().splitlines() if line.startswith('VmHWM'))
    return int(line.split()[1]) / 1024
