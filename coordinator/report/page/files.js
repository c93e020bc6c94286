// Makes each chart of a page a file of its own: node runs this with the page on standard input, and it writes
// [{"name": "rate", "svg": "..."}, ...]. What draws is the page's own script; what it draws into is here: as much of a
// document as it and d3 ask for. Light colours, generic fonts, no script and no reference to anything outside.
'use strict';
const vm = require('vm');
const zlib = require('zlib');

const SVG = 'http://www.w3.org/2000/svg';
const HTML = 'http://www.w3.org/1999/xhtml';
const WIDTH = { plain: 640, wide: 1080, small: 320 };
const MARGIN = 14;

const page = require('fs').readFileSync(0, 'utf8');

// ---- a document

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ESCAPES[c]);
const unescaped = (html) =>
  html.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, '&');

class Text {
  constructor(text) { this.text = String(text); this.parentNode = null; }
  get textContent() { return this.text; }
  serialise() { return escaped(this.text); }
}

class Element {
  constructor(name, space) {
    this.localName = name;
    this.namespaceURI = space;
    this.attributes = new Map();
    this.childNodes = [];
    this.parentNode = null;
    this.dataset = {};
  }
  get ownerDocument() { return document; }
  get parentElement() { return this.parentNode; }
  get nextSibling() {
    const among = this.parentNode ? this.parentNode.childNodes : [];
    return among[among.indexOf(this) + 1] || null;
  }
  get children() { return this.childNodes.filter((node) => node instanceof Element); }
  get classes() { return (this.getAttribute('class') || '').split(/\s+/); }
  get classList() {
    return { add: (name) => this.setAttribute('class', [...this.classes, name].join(' ').trim()) };
  }
  getAttribute(name) { return this.attributes.has(name) ? this.attributes.get(name) : null; }
  hasAttribute(name) { return this.attributes.has(name); }
  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  removeAttribute(name) { this.attributes.delete(name); }
  get textContent() { return this.childNodes.map((node) => node.textContent).join(''); }
  set textContent(text) { this.replaceChildren(...(text === '' ? [] : [text])); }
  insertBefore(node, before) {
    if (node.parentNode) node.parentNode.removeChild(node);
    const at = before ? this.childNodes.indexOf(before) : this.childNodes.length;
    this.childNodes.splice(at, 0, node);
    node.parentNode = this;
    return node;
  }
  appendChild(node) { return this.insertBefore(node, null); }
  removeChild(node) {
    this.childNodes.splice(this.childNodes.indexOf(node), 1);
    node.parentNode = null;
    return node;
  }
  append(...nodes) {
    for (const node of nodes) this.appendChild(typeof node === 'string' ? new Text(node) : node);
  }
  replaceChildren(...nodes) {
    for (const node of [...this.childNodes]) this.removeChild(node);
    this.append(...nodes);
  }
  // "g", ".tick" and "g.tick".
  matches(selector) {
    const [name, ...classes] = selector.split('.');
    return (name === '' || name === this.localName) && classes.every((one) => this.classes.includes(one));
  }
  closest(selector) {
    for (let node = this; node; node = node.parentNode) if (node.matches(selector)) return node;
    return null;
  }
  *descendants() {
    for (const child of this.children) {
      yield child;
      yield* child.descendants();
    }
  }
  // Lists of the former, each of them in another one or not.
  querySelectorAll(selectors) {
    const chains = selectors.split(',').map((selector) => selector.trim().split(/\s+/));
    const fits = (node, chain) => {
      if (!node.matches(chain[chain.length - 1])) return false;
      let above = node.parentNode;
      for (let i = chain.length - 2; i >= 0; --i, above = above.parentNode) {
        while (above && !above.matches(chain[i])) above = above.parentNode;
        if (!above) return false;
      }
      return true;
    };
    return [...this.descendants()].filter((node) => chains.some((chain) => fits(node, chain)));
  }
  querySelector(selectors) { return this.querySelectorAll(selectors)[0] || null; }
  compareDocumentPosition(other) {
    const all = [...document.documentElement.descendants()];
    return all.indexOf(other) < all.indexOf(this) ? 2 : 4;
  }
  serialise() {
    const attributes = [...this.attributes].map(([name, value]) => ` ${name}="${escaped(value)}"`).join('');
    const content = this.childNodes.map((node) => node.serialise()).join('');
    return content === '' ? `<${this.localName}${attributes}/>` : `<${this.localName}${attributes}>${content}</${this.localName}>`;
  }
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; ++k) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

function chunk(type, data) {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}

// As the script asks for one: pixels that become a PNG. Each becomes several, since not every viewer draws a picture that
// is stretched without blurring it.
class Canvas extends Element {
  getContext() {
    return {
      createImageData: (width, height) => ({ width, height, data: new Uint8ClampedArray(width * height * 4) }),
      putImageData: (image) => { this.image = image; },
    };
  }
  toDataURL() {
    const { data } = this.image;
    const [across, down] = [Math.ceil(1000 / this.image.width), Math.ceil(300 / this.image.height)];
    const [width, height] = [this.image.width * across, this.image.height * down];
    const rows = Buffer.alloc((width * 4 + 1) * height);
    for (let y = 0; y < height; ++y) {
      for (let x = 0; x < width; ++x) {
        const from = (Math.floor(y / down) * this.image.width + Math.floor(x / across)) * 4;
        rows.set(data.subarray(from, from + 4), y * (width * 4 + 1) + 1 + x * 4);
      }
    }
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width, 0);
    head.writeUInt32BE(height, 4);
    head.set([8, 6, 0, 0, 0], 8);
    const png = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk('IHDR', head),
      chunk('IDAT', zlib.deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
    return 'data:image/png;base64,' + png.toString('base64');
  }
}

const document = {
  documentElement: new Element('html', HTML),
  createElement: (name) => (name === 'canvas' ? new Canvas(name, HTML) : new Element(name, HTML)),
  createElementNS: (space, name) => new Element(name, space),
  getElementById: () => ({ textContent: data }),
  querySelector: () => null,
  querySelectorAll: () => boxes,
};

// ---- the page

const between = (begin, end, from = 0) => {
  const at = page.indexOf(begin, from) + begin.length;
  return [page.slice(at, page.indexOf(end, at)), at];
};
const [style] = between('<style>', '</style>');
const [data, dataAt] = between('<script type="application/json" id="data">', '</script>');
const [library, libraryAt] = between('<script>', '</script>', dataAt);
const [script] = between('<script>', '</script>', libraryAt);

// The light colours, by their names; one may be another's.
const colours = new Map([...style.slice(0, style.indexOf('@media')).matchAll(/(--[\w-]+):\s*([^;]+);/g)]
  .map((match) => [match[1], match[2]]));
const resolved = (value) => value.replace(/var\((--[\w-]+)\)/g, (whole, name) => resolved(colours.get(name) || ''));

const chartStyle = resolved(style.slice(style.indexOf('/* Charts. */') + 13, style.indexOf('@media', style.indexOf('/* Charts. */'))))
  .replace(/\.plot text/g, 'text').replace(/font: 12px [^;]+;/, 'font-family: sans-serif; font-size: 12px;');

// Where the page has charts: a box for each, as the script asks for it.
const boxes = [];
const FIGURE = /<figure(?: class="([^"]*)")?><h3>(.*?)<\/h3>(?:<p class="sub">(.*?)<\/p>)?.*?<div class="plot" data-chart="([\w-]+)"(?: data-index="(\d+)")? data-label="([^"]*)">/g;
for (const [, css, title, subtitle, chart, index, label] of page.slice(0, dataAt).matchAll(FIGURE)) {
  const figure = new Element('figure', HTML);
  document.documentElement.appendChild(figure);
  const width = index !== undefined ? WIDTH.small : (css || '').includes('wide') ? WIDTH.wide : WIDTH.plain;
  figure.clientWidth = width;
  const legend = figure.appendChild(new Element('div', HTML));
  legend.setAttribute('class', 'legend');
  const box = figure.appendChild(new Element('div', HTML));
  box.dataset = { chart, index, label: unescaped(label) };
  boxes.push(Object.assign(box, { width, title: unescaped(title), subtitle: unescaped(subtitle || ''), legend,
    name: index === undefined ? chart : unescaped(title).replace(/[^\w]+/g, '-') }));
}

const window = { innerWidth: 1280, addEventListener: () => {}, matchMedia: () => ({ addEventListener: () => {} }) };
const context = vm.createContext({ document, window,
  getComputedStyle: () => ({ getPropertyValue: (name) => resolved(colours.get(name) || '') }) });
vm.runInContext(library, context);
vm.runInContext(script, context);

// ---- the files

// Width of text of `size` px, rounded up.
const textWidth = (text, size) => text.length * size * 0.6;

function lines(text, size, width) {
  const out = [''];
  for (const word of text.split(' ')) {
    const longer = out[out.length - 1] === '' ? word : out[out.length - 1] + ' ' + word;
    if (textWidth(longer, size) <= width || out[out.length - 1] === '') out[out.length - 1] = longer;
    else out.push(word);
  }
  return out.filter((line) => line !== '');
}

function file(box) {
  const plot = box.querySelector('svg');
  if (!plot) return null;
  const parts = [];
  let y = MARGIN;
  const write = (text, size, css) => {
    for (const line of lines(text, size, box.width - 2 * MARGIN)) {
      y += size * 1.3;
      parts.push(`<text class="${css}" x="${MARGIN}" y="${y.toFixed(1)}">${escaped(line)}</text>`);
    }
  };
  write(box.title, 15, 'title');
  write(box.subtitle, 12, 'sub');
  if (box.legend.children.length > 0) {
    let x = MARGIN;
    y += 10;
    for (const entry of box.legend.children) {
      const words = entry.textContent;
      const width = 36 + textWidth(words, 12) + 14;
      if (x > MARGIN && x + width > box.width) [x, y] = [MARGIN, y + 18];
      const picture = entry.querySelector('svg').childNodes.map((node) => node.serialise()).join('');
      parts.push(`<g transform="translate(${x},${y})">${picture}<text x="36" y="10">${escaped(words)}</text></g>`);
      x += width;
    }
    y += 18;
  }
  y += 6;
  const [width, height] = [Number(plot.getAttribute('width')), y + Number(plot.getAttribute('height')) + MARGIN / 2];
  const drawing = plot.childNodes.map((node) => node.serialise()).join('');
  return `<svg xmlns="${SVG}" width="${width}" height="${height.toFixed(1)}" viewBox="0 0 ${width} ${height.toFixed(1)}" role="img">` +
    `<title>${escaped(box.dataset.label)}</title><style>${chartStyle}\n` +
    `text.title { font-size: 15px; font-weight: bold; fill: ${colours.get('--ink')}; }\n</style>` +
    `<rect width="100%" height="100%" fill="${colours.get('--bg')}"/>${parts.join('')}` +
    `<g transform="translate(0,${y.toFixed(1)})">${drawing}</g></svg>\n`;
}

const files = boxes.map((box) => ({ name: box.name, svg: file(box) })).filter(({ svg }) => svg);
process.stdout.write(JSON.stringify(files));
