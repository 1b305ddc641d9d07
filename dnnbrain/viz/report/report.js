'use strict';
(() => {
  const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);
  const say = (button, text) => { button.parentElement.querySelector('[role="status"]').textContent = text; };
  const press = (buttons, chosen) => buttons.forEach(b => b.setAttribute('aria-pressed', String(b === chosen)));

  each(document, '.copy', button => button.addEventListener('click', async () => {
    const from = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from.textContent.trim());
      say(button, 'Copied.');
    } catch (error) {                       // some browsers forbid it for pages from a file: select, to copy by hand
      const range = document.createRange();
      range.selectNodeContents(from);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      say(button, document.execCommand('copy') ? 'Copied.' : 'Selected; copy it with Ctrl+C.');
    }
  }));

  const MOVES = {                           // axis of the volume, and which way: right, front and up are more
    ArrowLeft: ['X', -1], ArrowRight: ['X', 1], ArrowUp: ['Y', 1], ArrowDown: ['Y', -1],
    PageUp: ['Z', 1], PageDown: ['Z', -1],
  };

  function move(slices, event) {
    if (!slices || !MOVES[event.key]) return;
    event.preventDefault();
    const [axis, step] = MOVES[event.key];
    slices.numSlice[axis] = Math.max(0, Math.min(slices.nbSlice[axis] - 1, slices.numSlice[axis] + step));
    slices.init();                          // which reads value and coordinates anew
    slices.drawAll();
  }

  function volume(box, data) {
    const frame = box.querySelector('iframe');
    const buttons = [...box.querySelectorAll('[data-map]')];
    const fit = () => {
      const inside = frame.contentDocument;
      if (inside && inside.body) frame.height = Math.max(160, inside.body.scrollHeight + 4);
    };
    frame.addEventListener('load', () => {
      fit();
      setTimeout(fit, 300);
      const canvas = frame.contentDocument.querySelector('canvas');
      if (canvas) canvas.addEventListener('keydown', event => move(frame.contentWindow.slices, event));
    });
    addEventListener('resize', () => setTimeout(fit, 100));
    const show = number => {
      const map = data.maps[number];
      frame.title = `Slices through the brain: ${map.name}`;
      frame.srcdoc = map.html.replace(/@@(\d+)@@/g, (_, k) => data.shared[+k]);
      press(buttons, buttons[number]);
    };
    buttons.forEach((button, number) => button.addEventListener('click', () => show(number)));
    show(0);
  }

  function numbers(text, Kind) {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    return new Kind(bytes.buffer);
  }

  const VIEWS = {                           // angle about the vertical axis (of the right hemisphere) and upward, degrees
    'lateral': [0, 0], 'medial': [180, 0], 'from above': [-90, 90], 'from below': [-90, -90], 'from behind': [-90, 0],
    'from the front': [90, 0],
  };

  function surface(box, data) {
    const canvas = box.querySelector('canvas'), context = canvas.getContext('2d');
    const width = canvas.width, height = canvas.height;
    const reading = box.querySelector('.reading');
    const maps = [...box.querySelectorAll('[data-map]')], sides = [...box.querySelectorAll('[data-side]')];
    const image = context.createImageData(width, height);
    const depth = new Float32Array(width * height), owner = new Int32Array(width * height);
    const meshes = {}, state = { map: 0, side: Object.keys(data.meshes)[0], turn: 0, tilt: 0 };
    for (const [side, mesh] of Object.entries(data.meshes)) {
      meshes[side] = { places: numbers(mesh.places, Int16Array), faces: numbers(mesh.faces, Uint16Array),
        depth: numbers(mesh.depth, Uint8Array) };
    }
    data.maps.forEach(map => {
      for (const side of Object.keys(map.sides)) map.sides[side] = numbers(map.sides[side], Float32Array);
    });

    const look = view => {
      const [turn, tilt] = VIEWS[view];
      state.turn = (view === 'lateral' || view === 'medial') && state.side === 'left' ? turn + 180 : turn;
      state.tilt = tilt;
    };

    function colours(map, mesh, values) {
      const n = mesh.depth.length, out = new Float32Array(3 * n);
      for (let v = 0; v < n; v++) {
        const value = values ? values[v] : NaN;
        if (Number.isFinite(value)) {
          const k = 3 * Math.round(255 * Math.min(1, Math.max(0, (value - map.low) / (map.high - map.low))));
          for (let c = 0; c < 3; c++) out[3 * v + c] = map.colors[k + c];
        } else {
          out.fill(190 - 0.4 * mesh.depth[v], 3 * v, 3 * v + 3);
        }
      }
      return out;
    }

    function draw() {
      const map = data.maps[state.map], mesh = meshes[state.side], n = mesh.depth.length;
      const paint = colours(map, mesh, map.sides[state.side]);
      const a = state.turn * Math.PI / 180, b = state.tilt * Math.PI / 180;
      const right = [-Math.sin(a), Math.cos(a), 0];
      const up = [-Math.sin(b) * Math.cos(a), -Math.sin(b) * Math.sin(a), Math.cos(b)];
      const near = [Math.cos(b) * Math.cos(a), Math.cos(b) * Math.sin(a), Math.sin(b)];
      const zoom = 0.00049 * height, p = new Float32Array(3 * n);
      for (let v = 0; v < n; v++) {
        const x = mesh.places[3 * v], y = mesh.places[3 * v + 1], z = mesh.places[3 * v + 2];
        p[3 * v] = width / 2 + zoom * (right[0] * x + right[1] * y + right[2] * z);
        p[3 * v + 1] = height / 2 - zoom * (up[0] * x + up[1] * y + up[2] * z);
        p[3 * v + 2] = near[0] * x + near[1] * y + near[2] * z;
      }
      depth.fill(-1e9);
      owner.fill(-1);
      image.data.fill(0);
      for (let f = 0; f < mesh.faces.length; f += 3) {
        triangle(p, paint, mesh.faces[f], mesh.faces[f + 1], mesh.faces[f + 2], zoom);
      }
      context.putImageData(image, 0, 0);
      canvas.setAttribute('aria-label', `${map.name} on the ${state.side} hemisphere; arrow keys turn it`);
    }

    function triangle(p, paint, i, j, k, zoom) {
      const x0 = p[3 * i], y0 = p[3 * i + 1], x1 = p[3 * j], y1 = p[3 * j + 1], x2 = p[3 * k], y2 = p[3 * k + 1];
      const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
      if (area === 0) return;
      const z0 = p[3 * i + 2], z1 = p[3 * j + 2], z2 = p[3 * k + 2];
      const gx = ((z1 - z0) * (y2 - y0) - (z2 - z0) * (y1 - y0)) / area;
      const gy = ((z2 - z0) * (x1 - x0) - (z1 - z0) * (x2 - x0)) / area;
      const light = 0.45 + 0.55 / Math.sqrt(1 + (gx * gx + gy * gy) * zoom * zoom);
      const left = Math.max(0, Math.floor(Math.min(x0, x1, x2))), end = Math.min(width - 1, Math.ceil(Math.max(x0, x1, x2)));
      const top = Math.max(0, Math.floor(Math.min(y0, y1, y2))), low = Math.min(height - 1, Math.ceil(Math.max(y0, y1, y2)));
      for (let y = top; y <= low; y++) {
        for (let x = left; x <= end; x++) {
          const w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area;
          const w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area, w0 = 1 - w1 - w2;
          if (w0 < -1e-6 || w1 < -1e-6 || w2 < -1e-6) continue;
          const z = w0 * z0 + w1 * z1 + w2 * z2, at = y * width + x;
          if (z <= depth[at]) continue;
          depth[at] = z;
          owner[at] = w0 >= w1 && w0 >= w2 ? i : w1 >= w2 ? j : k;
          for (let c = 0; c < 3; c++) {
            image.data[4 * at + c] = light * (w0 * paint[3 * i + c] + w1 * paint[3 * j + c] + w2 * paint[3 * k + c]);
          }
          image.data[4 * at + 3] = 255;
        }
      }
    }

    let waiting = false;
    const later = () => {
      if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); }
    };

    function bar() {
      const map = data.maps[state.map], stops = [];
      for (let k = 0; k < 256; k += 15) stops.push(`rgb(${map.colors.slice(3 * k, 3 * k + 3).join(',')})`);
      box.querySelector('.ramp').style.background = `linear-gradient(to right, ${stops.join(',')})`;
      box.querySelector('.low').textContent = map.low.toPrecision(3).replace(/\.?0+$/, '');
      box.querySelector('.high').textContent = map.high.toPrecision(3).replace(/\.?0+$/, '');
    }

    maps.forEach((button, number) => button.addEventListener('click', () => {
      state.map = number;
      press(maps, button);
      bar();
      later();
    }));
    sides.forEach(button => button.addEventListener('click', () => {
      state.side = button.dataset.side;
      press(sides, button);
      look('lateral');
      later();
    }));
    each(box, '[data-view]', button => button.addEventListener('click', () => { look(button.dataset.view); later(); }));
    canvas.addEventListener('keydown', event => {
      const step = { ArrowLeft: [10, 0], ArrowRight: [-10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[event.key];
      if (!step) return;
      event.preventDefault();
      state.turn += step[0];
      state.tilt = Math.max(-90, Math.min(90, state.tilt + step[1]));
      later();
    });

    let held = null;
    canvas.addEventListener('pointerdown', event => {
      held = { x: event.clientX, y: event.clientY, far: 0 };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', event => {
      if (!held) return;
      const dx = event.clientX - held.x, dy = event.clientY - held.y;
      held = { x: event.clientX, y: event.clientY, far: held.far + Math.abs(dx) + Math.abs(dy) };
      state.turn -= 0.5 * dx;
      state.tilt = Math.max(-90, Math.min(90, state.tilt + 0.5 * dy));
      later();
    });
    canvas.addEventListener('pointerup', event => {
      if (held && held.far < 4) read(event);
      held = null;
    });

    function read(event) {
      const place = canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - place.left) * width / place.width);
      const y = Math.floor((event.clientY - place.top) * height / place.height);
      const vertex = owner[y * width + x], map = data.maps[state.map];
      if (vertex === undefined || vertex < 0) { reading.textContent = ''; return; }
      const value = map.sides[state.side] ? map.sides[state.side][vertex] : NaN;
      reading.textContent = `${state.side} hemisphere, vertex ${vertex + 1}: ${map.name} `
        + (Number.isFinite(value) ? value.toFixed(3) : 'has no value');
    }

    look('lateral');
    bar();
    draw();
  }

  each(document, '[data-viewer]', box => {
    const data = JSON.parse(document.getElementById(box.dataset.viewer).textContent);
    ({ volume, surface })[data.kind](box, data);
  });
})();
