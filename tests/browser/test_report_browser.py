"""The report in a real browser: nothing complains, everything is drawn, reacts, and can be read by everyone."""

import time

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import fetch_surf_fsaverage
from nilearn.surface import load_surf_mesh

from dnnbrain.brain.responses import Responses
from dnnbrain.brain.results import write_encoding
from dnnbrain.brain.rsa_profile import write_profile
from dnnbrain.brain.surfaces import SurfaceHeader
from dnnbrain.viz.report import write_report

LOOKS = [(1300, 'light'), (390, 'dark')]
PICTURES = '[...document.images].every(image => image.complete && image.naturalWidth > 0)'
SLICES = "document.querySelector('iframe').contentDocument.querySelector('canvas').toDataURL()"
# text against the first background that is not transparent, by WCAG 2: 4.5, or 3 for large text
CONTRAST = '''(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = numbers(colour).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor, parts = numbers(colour);
      if (parts.length < 4 || parts[3] > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const poor = [];
  let n = 0;
  for (const node of document.body.querySelectorAll('*')) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(node.tagName) || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const [high, low] = [light(style.color), light(behind(node))].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    n += 1;
    if ((high + 0.05) / (low + 0.05) < (large ? 3 : 4.5)) poor.push(node.tagName + ' ' + node.className);
  }
  return n > 100 ? poor : ['only ' + n + ' texts were looked at'];
})()'''


def encoding(folder, responses, resp):
    """An encoding of two layers, whose scores grow along the voxels."""
    n = responses.values.shape[1]
    ramp = np.linspace(0.1, 0.6, n)[None, :, None] + np.array([0, 0.02, 0.04])
    write_encoding(folder, {'conv1': {'score': ramp}, 'conv2': {'score': ramp[:, ::-1]}}, responses,
                   {'command': 'db_encode', 'anal': 'mv', 'model': 'ridge', 'scoring': 'correlation', 'cv': 3,
                    'seed': 0, 'resp': resp, 'perm': 10}, {'network': 'AlexNet'}, fold=[1, 2, 3] * 10)
    return folder


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """A page with a volume, a surface, an RSA and a training."""
    folder, shape = tmp_path_factory.mktemp('report'), (12, 10, 8)
    header = nib.Nifti1Header()
    header.set_sform(np.diag([4, 4, 4, 1]), 2)
    volume = Responses(np.zeros((30, 960)), '.nii.gz', None, header, None, shape)
    n = 20484
    surface = Responses(np.zeros((30, n)), '.func.gii', None, SurfaceHeader(n, ((0, {}),)), None, (n, 1, 1))
    table = pd.DataFrame({'network': 'net', 'layer': ['conv1', 'conv2'], 'iteration': 1, 'roi': 'V1', 'r': [0.1, 0.3],
                          'fdr': 0.01, 'low': [0.0, 0.2], 'high': [0.2, 0.4], 'n_subject': 1})
    write_profile(folder / 'rsa', table, None, {'method': 'pearson', 'sig': ['bootstrap'], 'iter': 100})
    pd.DataFrame({'epoch': [1, 2], 'epoch_loss': [1, 0.5]}).to_csv(folder / 'mine.history.csv', index=False)
    return write_report([encoding(folder / 'volume', volume, 'bold.nii.gz'),
                         encoding(folder / 'surface', surface, 'bold.func.gii'), folder / 'rsa',
                         folder / 'mine.history.csv'], folder / 'report.html', 'Four results')


@pytest.fixture
def page(browser, report):
    """The browser with the report open; at the end nothing was complained of and nothing fetched."""
    def opened(width=1300, scheme='light'):
        browser.messages.clear()
        browser.requests.clear()
        browser.open(report, width, scheme=scheme)
        browser.wait(PICTURES)
        browser.wait("document.querySelector('iframe').contentDocument?.querySelector('canvas')?.width > 300")
        return browser
    yield opened
    assert [message for message in browser.messages if message[0] == 'error'] == []
    assert [url for url in browser.requests if not url.startswith(('data:', 'file:'))] == []


@pytest.mark.parametrize(('width', 'scheme'), LOOKS)
def test_readable(page, width, scheme):
    browser = page(width, scheme)
    assert browser.js('document.images.length') == 4
    assert browser.js('document.documentElement.scrollWidth') <= width
    assert browser.js(CONTRAST) == []
    assert browser.js('matchMedia("(prefers-color-scheme: dark)").matches') == (scheme == 'dark')
    small = "[...document.querySelectorAll('button')].filter(b => b.getBoundingClientRect().height < 40).length"
    assert browser.js(small) == 0                       # a finger hits them
    assert browser.js('parseFloat(getComputedStyle(document.body).fontSize)') >= 16


def middle(browser, selector, x=0.5, y=0.5):
    """A point of an element, scrolled into view."""
    return browser.js(f'''(() => {{ const node = document.querySelector({selector!r});
        node.scrollIntoView({{ block: 'center', behavior: 'instant' }}); const b = node.getBoundingClientRect();
        return [b.left + {x} * b.width, b.top + {y} * b.height]; }})()''')


def test_slices_react(page):
    browser = page()
    browser.wait(f'{SLICES}.length > 3000')
    time.sleep(0.3)                                     # the last of the three slices
    before = browser.js(SLICES)
    browser.click(*middle(browser, 'iframe', 0.1, 0.45))
    browser.wait(f'{SLICES} !== {before!r}')
    browser.click(*middle(browser, '#result-1 [data-map="1"]'))
    browser.wait("document.querySelector('iframe').title.endsWith('conv2')")
    pressed = "[...document.querySelectorAll('#result-1 [data-map]')].map(b => b.ariaPressed)"
    assert browser.js(pressed) == ['false', 'true', 'false']


def test_slices_move_by_keys(page):
    """A voxel of 4 mm at a time, and no further than the last."""
    browser = page()
    browser.wait("document.querySelector('iframe').contentWindow.slices?.coordinatesSlice")
    browser.wait(f'{SLICES}.length > 3000')
    time.sleep(0.3)
    place = "(s => [s.X, s.Y, s.Z])(document.querySelector('iframe').contentWindow.slices.coordinatesSlice)"
    browser.js("document.querySelector('iframe').contentDocument.querySelector('canvas').focus()")
    for key, code, step in (('ArrowLeft', 37, (-4, 0, 0)), ('ArrowRight', 39, (4, 0, 0)), ('ArrowUp', 38, (0, 4, 0)),
                            ('ArrowDown', 40, (0, -4, 0)), ('PageUp', 33, (0, 0, 4)), ('PageDown', 34, (0, 0, -4))):
        seen, before = browser.js(SLICES), np.array(browser.js(place))
        browser.key(key, code)
        browser.wait(f'{SLICES} !== {seen!r}')
        np.testing.assert_allclose(np.array(browser.js(place)) - before, step)
    for _ in range(12):
        browser.key('PageUp', 33)
    last = browser.js(place)
    browser.key('PageUp', 33)
    assert browser.js(place) == last


def test_surface_reacts(page):
    browser = page()
    canvas, reading = '#result-2 canvas', "document.querySelector('#result-2 .reading').textContent"
    drawn = f"document.querySelector('{canvas}').toDataURL()"
    browser.click(*middle(browser, canvas, 0.35, 0.4))
    browser.wait(f"/^left hemisphere, vertex \\d+: conv1 0\\.\\d+$/.test({reading})")
    said = browser.js(reading)
    vertex, value = int(said.split('vertex ')[1].split(':')[0]), float(said.split()[-1])
    assert abs(value - (np.linspace(0.1, 0.6, 20484)[vertex - 1] + 0.02)) < 1e-3
    places = load_surf_mesh(fetch_surf_fsaverage('fsaverage5')['infl_left']).coordinates
    x, y, z = (places - (places.max(axis=0) + places.min(axis=0)) / 2)[vertex - 1]
    # 2.94 of the 840 x 600 pixels are a mm; from the left, what is anterior is left
    assert x < 0 and abs(y - 0.15 * 840 / 2.94) < 4 and abs(z - 0.1 * 600 / 2.94) < 4
    first = browser.js(drawn)
    browser.click(*middle(browser, '#result-2 [data-side="right"]'))
    browser.wait(f'{drawn} !== {first!r}')
    second = browser.js(drawn)
    browser.js(f"document.querySelector('{canvas}').focus()")
    browser.key('ArrowLeft', 37)
    browser.wait(f'{drawn} !== {second!r}')
    colours = f'''(() => {{ const c = document.querySelector('{canvas}'); const d = c.getContext('2d')
        .getImageData(0, 0, c.width, c.height).data; const seen = new Set(); let n = 0;
        for (let i = 0; i < d.length; i += 4) if (d[i + 3]) {{ n++; seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); }}
        return [n / (c.width * c.height), seen.size]; }})()'''
    share, n_colour = browser.js(colours)
    assert 0.2 < share < 0.7 and n_colour > 100         # a brain fills the middle, in many colours


def test_keyboard(page):
    browser = page()
    reached, outlined = [], True
    for _ in range(40):
        browser.key('Tab', 9)
        node = browser.js('''(() => { const a = document.activeElement, s = getComputedStyle(a);
            return [a.className || a.tagName, a.textContent.slice(0, 30).trim(), s.outlineStyle, a.offsetLeft]; })()''')
        reached.append(node[0] if node[0] != 'BUTTON' else node[1])
        outlined &= node[2] != 'none' or node[0] == 'IFRAME'
    assert reached[0] == 'skip' and outlined
    assert {'copy', 'plate', 'conv1', 'conv2', 'IFRAME', 'scroll'} <= set(reached)
    browser.js("document.querySelector('#result-1 .copy').focus()")
    browser.key('Enter', 13, '\r')
    browser.wait("document.querySelector('#result-1 [role=status]').textContent.length > 5")


def test_prints_in_black_on_white(page):
    browser = page(scheme='light')
    browser('Emulation.setEmulatedMedia', media='print')
    assert browser.js("getComputedStyle(document.querySelector('button')).display") == 'none'
    assert browser.js('getComputedStyle(document.body).color') == 'rgb(0, 0, 0)'
    browser('Emulation.setEmulatedMedia', media='')
