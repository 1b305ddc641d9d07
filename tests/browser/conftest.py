"""Chromium without a window, driven through the DevTools protocol on a pipe: nothing but the browser is needed."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time

import pytest

INSTALL = 'apt-get update && apt-get install -y chromium'
NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
FLAGS = ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--disable-extensions', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--remote-debugging-pipe',
         '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--hide-scrollbars',
         '--force-color-profile=srgb')
# the browser reads commands from file 3 and answers on file 4
START = ('import os, sys; r, w = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2])); '
         'r, w = os.dup2(r, 103), os.dup2(w, 104); os.dup2(r, 3); os.dup2(w, 4); os.execvp(sys.argv[3], sys.argv[3:])')


class Browser:
    """One page of a browser. `messages` are what the console said, `requests` the addresses that were asked for."""

    def __init__(self, program: str, folder):
        read, self._out = os.pipe()
        self._in, write = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, '-c', START, str(read), str(write), program, *FLAGS, f'--user-data-dir={folder}'],
            pass_fds=(read, write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read)
        os.close(write)
        self._buffer, self._number, self._session = b'', 0, None
        self.messages, self.requests = [], []
        target = self('Target.createTarget', url='about:blank')['targetId']
        self._session = self('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self(f'{domain}.enable')

    def __call__(self, method: str, **params) -> dict:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._receive(60)
            if answer.get('id') == self._number:
                assert 'error' not in answer, (method, answer)
                return answer['result']

    def _receive(self, seconds: float) -> dict:
        end = time.monotonic() + seconds
        while b'\0' not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            part = os.read(self._in, 2 ** 20) if ready else b''
            if not part:
                raise TimeoutError(f'the browser said nothing for {seconds} s, or ended')
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b'\0')
        message = json.loads(line)
        self._note(message.get('method'), message.get('params', {}))
        return message

    def _note(self, method: str | None, params: dict) -> None:
        if method == 'Runtime.exceptionThrown':
            self.messages.append(('error', params['exceptionDetails'].get('exception', {}).get('description', '')
                                  or params['exceptionDetails']['text']))
        elif method == 'Runtime.consoleAPICalled':
            self.messages.append((params['type'], ' '.join(str(a.get('value', a.get('description')))
                                                           for a in params['args'])))
        elif method == 'Log.entryAdded':
            self.messages.append((params['entry']['level'], params['entry']['text']))
        elif method == 'Network.requestWillBeSent':
            self.requests.append(params['request']['url'])

    def open(self, path, width: int = 1300, height: int = 900, scheme: str = 'light') -> None:
        """Open a file on a screen of this size."""
        self('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self('Page.navigate', url=path.absolute().as_uri())
        self.wait('document.readyState === "complete" && location.protocol === "file:"')

    def js(self, expression: str):
        """Value of an expression in the page."""
        answer = self('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        assert 'exceptionDetails' not in answer, (expression, answer)
        return answer['result'].get('value')

    def wait(self, expression: str, seconds: float = 20) -> None:
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while not self.js(expression):
            if time.monotonic() > end:
                raise AssertionError(f'never became true: {expression}; console: {self.messages}')
            time.sleep(0.05)

    def click(self, x: float, y: float) -> None:
        """Press and release the mouse at a point of the window."""
        for kind in ('mouseMoved', 'mousePressed', 'mouseReleased'):
            self('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='none' if kind == 'mouseMoved' else 'left',
                 buttons=1, clickCount=1)

    def key(self, key: str, code: int, text: str = '') -> None:
        """Press and release a key."""
        for kind in ('keyDown', 'keyUp'):
            self('Input.dispatchKeyEvent', type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                 **({'text': text} if text and kind == 'keyDown' else {}))

    def picture(self, path, whole: bool = True) -> None:
        """Write a PNG of the page."""
        data = self('Page.captureScreenshot', format='png', captureBeyondViewport=whole)['data']
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(20)
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    """A `Browser`; the tests are skipped, with the command that mends it, where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        if os.environ.get('DNNBRAIN_BROWSER') == 'required':
            pytest.fail(f'no Chromium is installed: {INSTALL}')
        pytest.skip(f'no Chromium is installed: {INSTALL}')
    browser = Browser(program, tmp_path_factory.mktemp('chromium'))
    yield browser
    browser.close()
