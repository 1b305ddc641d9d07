"""How Sphinx builds these pages: ``pip install '.[docs]' && sphinx-build -W docs docs/_build/html``."""

import sys
from configparser import ConfigParser
from pathlib import Path

import dnnbrain

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / '_ext'))

project = 'dnnbrain'
author = 'The dnnbrain developers'
project_copyright = author
version = release = dnnbrain.__version__

extensions = [
    'myst_parser',
    'numpydoc',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx_click',
    'sphinx_copybutton',
    'sphinx_design',
    'sphinx_gallery.gen_gallery',
]
source_suffix = {'.md': 'markdown', '.rst': 'restructuredtext'}
exclude_patterns = ['_build', 'README.md', 'gallery', 'auto_examples/*.ipynb', 'auto_examples/*.py']
templates_path = ['_templates']

myst_heading_anchors = 4
myst_enable_extensions = ['colon_fence', 'deflist']

autosummary_generate = True
autodoc_typehints = 'none'              # numpydoc sections say types, shapes and units
autodoc_member_order = 'bysource'
numpydoc_show_class_members = False     # the template of a class lists them
numpydoc_xref_param_type = False

copybutton_prompt_text = '$ '
copybutton_exclude = '.linenos, .gp, .go'

sphinx_gallery_conf = {
    'examples_dirs': ['gallery'],
    'gallery_dirs': ['auto_examples'],
    'filename_pattern': r'/plot_',      # quick ones; longer scripts are shown on scripts.md and run by the tests
    'within_subsection_order': 'FileNameSortKey',
    'image_scrapers': ('figures.scrape',),
    'thumbnail_size': (640, 320),
    'download_all_examples': False,
    'remove_config_comments': True,
    'show_memory': False,
    'min_reported_time': 1000,
    'abort_on_example_error': True,
}

html_theme = 'pydata_sphinx_theme'
html_title = 'dnnbrain'
html_static_path = ['_static']
html_css_files = ['dnnbrain.css']
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    'logo': {'text': 'dnnbrain', 'alt_text': 'dnnbrain, front page'},
    'show_prev_next': True,
    'navbar_align': 'left',
    'header_links_before_dropdown': 7,
    'secondary_sidebar_items': ['page-toc'],
    'show_toc_level': 2,
    'navigation_with_keys': True,
    'footer_start': ['copyright'],
    'footer_end': ['theme-version'],
}
html_sidebars = {name: [] for name in ('index', 'start', 'from_1_0', 'which_tool')}


def commands() -> list[str]:
    """The installed commands, as setup.cfg names them."""
    setup = ConfigParser()
    setup.read(HERE.parent / 'setup.cfg')
    lines = setup['options.entry_points']['console_scripts'].split('\n')
    return sorted(line.split(' = ')[0] for line in lines if line)


def write_command_pages(app) -> None:
    """A page per command, from the options that it has now."""
    folder = HERE / 'commands' / 'generated'
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.rst'):
        if old.stem not in commands():
            old.unlink()
    for name in commands():
        text = f'.. click:: dnnbrain.cli.{name}:main\n   :prog: {name}\n'
        page = folder / f'{name}.rst'
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def setup(app):
    """Called by Sphinx."""
    app.connect('builder-inited', write_command_pages, priority=100)
