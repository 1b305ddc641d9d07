"""Every link inside the documentation leads somewhere, to the heading too, and every page can be found."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MADE = ('_build', 'generated', 'auto_examples')             # by Sphinx
PAGES = [ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')]
PAGES += sorted(page for page in (ROOT / 'docs').rglob('*.md') if not set(page.parts) & set(MADE))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def prose(page):
    """The text without blocks of code; directives stay."""
    return re.sub(r'^```(?!\{).*?^```', '', page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """The anchors of its headings, as GitHub and MyST make them."""
    found = []
    for heading in re.findall(r'^#+ (.+)$', prose(page), re.MULTILINE):
        text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).strip().lower()
        slug = re.sub(r'[^\w\- ]', '', text).replace(' ', '-')
        found.append(slug if slug not in found else f'{slug}-{found.count(slug)}')
    return found


def targets(page):
    """Targets of links and pictures in Markdown, HTML, directives and roles, with their anchors."""
    text = prose(page)
    inside = re.findall(r'\]\(([^)\s]+)\)', re.sub(r'(?<!`)`[^`\n]+`', '', text))
    return inside + re.findall(r'(?:src|href)="([^"]+)"', text) + \
        re.findall(r'^```\{(?:image|figure|include|literalinclude)\} (\S+)', text, re.MULTILINE)


def documents(page):
    """Pages of toctrees, cards and {doc} roles, as paths without suffix."""
    text = page.read_text()
    listed = [line for tree in re.findall(r'^```\{toctree\}\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
              for line in tree.splitlines() if line and not line.startswith(':')]
    return [re.sub(r'.*<(.+)>', r'\1', name) for name in
            listed + re.findall(r'^:link: (.+)$', text, re.MULTILINE) + re.findall(r'\{doc\}`([^`]+)`', text)]


@pytest.mark.parametrize('name', NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    for target in targets(page):
        if re.match(r'https?://', target):
            continue
        file, _, anchor = target.partition('#')
        found = page.parent / file if file else page
        assert found.exists(), f'{name}: {target}'
        assert not anchor or anchor in anchors(found), f'{name}: {target} is none of {anchors(found)}'


@pytest.mark.parametrize('name', [name for name in NAMES if name.startswith('docs/')])
def test_pages_named_exist(name):
    page = ROOT / name
    for target in documents(page):
        made = set(Path(target).parts) & set(MADE)
        assert made or (page.parent / f'{target}.md').exists(), f'{name}: {target}'


def test_every_page_is_found_from_the_front_page():
    seen, waiting = set(), [ROOT / 'docs' / 'index.md', ROOT / 'docs' / 'scripts.md']       # listed by the gallery
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        waiting += [page.parent / f'{target}.md' for target in documents(page)]
    pages = {page for page in PAGES if page.is_relative_to(ROOT / 'docs')} - {ROOT / 'docs' / 'README.md'}
    assert not pages - seen
    assert '../scripts' in (ROOT / 'docs' / 'gallery' / 'GALLERY_HEADER.rst').read_text()


def test_the_readme_of_the_docs_lists_every_page():
    text = (ROOT / 'docs' / 'README.md').read_text()
    listed = set(re.findall(r'\]\((\w+\.md)\)', text))
    assert listed == {page.name for page in (ROOT / 'docs').glob('*.md')} - {'README.md', 'index.md', 'guide.md',
                                                                            'changelog.md'}


def test_a_broken_link_would_be_found(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text("# One's own: a `heading`\n\n[a](page.md#ones-own-a-heading) [b](#nowhere)\n"
                    '![c](no.png)\n```sh\n[d](e)\n```\n`[f](g)`\n')
    assert targets(page) == ['page.md#ones-own-a-heading', '#nowhere', 'no.png']
    assert anchors(page) == ['ones-own-a-heading']
