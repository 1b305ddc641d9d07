"""Pictures for the gallery: figures of dnnbrain open no window, so that pyplot does not know them."""

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def scrape(block, block_vars, gallery_conf) -> str:
    """Save the figures that this block has made, and return the text that shows them."""
    paths = []
    for value in block_vars['example_globals'].values():
        if isinstance(value, Figure) and not hasattr(value, 'in_gallery'):
            value.in_gallery = True
            path = str(next(block_vars['image_path_iterator']))
            value.savefig(path, dpi=100, facecolor='white')
            paths.append(path)
    title = block_vars['src_file'].rsplit('/', 1)[-1].removeprefix('plot_').removesuffix('.py').replace('_', ' ')
    return figure_rst(paths, gallery_conf['src_dir'], title)
