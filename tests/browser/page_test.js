// What the page of a report must hold: node page_test.js FOLDER TEST. FOLDER is make_pages'. Exit code 77: skipped.
'use strict';
const assert = require('assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { Browser, findBrowser } = require('./browser.js');

const folder = path.resolve(process.argv[2]);
const name = process.argv[3];
const pageOf = (page) => path.join(folder, `${page}.html`);
const jsonOf = (page) => JSON.parse(fs.readFileSync(path.join(folder, `${page}.json`), 'utf8'));
const textOf = (page, ending) => fs.readFileSync(path.join(folder, page + ending), 'utf8');
const ALL_PAGES = fs.readdirSync(folder).filter((file) => file.endsWith('.html')).map((file) => file.slice(0, -5));
const COMPARISONS = ALL_PAGES.filter((page) => page.startsWith('compared_'));
const PAGES = ALL_PAGES.filter((page) => !COMPARISONS.includes(page));  // of one result
const MAX_BYTES = 1.5e6;

const tests = {};

tests.APageAsksForNothingSaysNothingAndIsDrawnInASecond = async (browser) => {
  for (const page of ALL_PAGES) {
    const tab = await browser.tab();
    await tab.open(pageOf(page));
    assert.deepStrictEqual(tab.requests, ['file://' + pageOf(page)], `${page}: what it asked for`);
    assert.deepStrictEqual(tab.messages, [], `${page}: what it said`);
    await tab.close();
  }
  assert.ok(fs.statSync(pageOf('big')).size < MAX_BYTES, `${fs.statSync(pageOf('big')).size} bytes`);
  // The least of five, which others on this machine can only make longer.
  const times = [];
  for (let i = 0; i < 5; ++i) {
    const tab = await browser.tab();
    await tab.open(pageOf('big'));
    times.push(await tab.evaluate(() => new Promise((resolve) =>
      setTimeout(() => resolve(performance.getEntriesByType('navigation')[0].loadEventEnd), 0))));
    await tab.close();
  }
  console.log(`10 points x 600 s x 10 agents: ${fs.statSync(pageOf('big')).size} bytes, drawn in ${times.map(Math.round)} ms`);
  assert.ok(Math.min(...times) < 1000, `drawn after ${times} ms`);
};

tests.WithoutScriptsTheAnswerAndTheTablesAreThere = async (browser) => {
  const tab = await browser.tab({ hasScripts: false });
  await tab.open(pageOf('sweep'));
  const seen = await tab.evaluate(() => ({
    answer: document.querySelector('h1').innerText, text: document.body.innerText, charts: document.querySelectorAll('.plot svg').length,
    rows: [...document.querySelectorAll('table')].map((table) => table.rows.length),
    places: [...document.querySelectorAll('.plot')].filter((plot) => plot.getBoundingClientRect().height > 0).length,
  }));
  assert.match(seen.answer, /Holds 192 connections with p99\s<\s60\sms; misses it at 256/);
  assert.strictEqual(seen.charts, 0);
  assert.strictEqual(seen.places, 0, 'an undrawn chart takes no room');
  for (const point of jsonOf('sweep').points) assert.ok(seen.text.includes(point.total_requests.toLocaleString('en-US')));
  assert.ok(seen.rows.length >= 8 && seen.rows.every((count) => count >= 2), `rows of tables: ${seen.rows}`);
};

// Of each chart: where its ticks say that a value lies, and where its marks are. Ticks are read as a reader does; d3 puts
// them half a pixel down and to the right, where lines are sharp.
function readCharts() {
  const unit = { 'µs': 1, ms: 1e3, s: 1e6 };
  const valueOf = (text) => {
    const [, number, rest] = /^([\d.,]+)\s?(.*)$/.exec(text) || [];
    if (number === undefined) return null;
    const scale = unit[rest] || (rest.startsWith('k') ? 1e3 : rest.startsWith('M') ? 1e6 : 1);
    return Number(number.replace(/,/g, '')) * scale;
  };
  const place = (node) => /translate\(([-\d.]+),([-\d.]+)\)/.exec(node.getAttribute('transform')).slice(1).map(Number);
  return [...document.querySelectorAll('[data-chart]')].map((box) => ({
    chart: box.dataset.chart,
    x: [...box.querySelectorAll('.axis-x .tick')].map((tick) => [valueOf(tick.textContent), place(tick)[0] - 0.5]),
    y: [...box.querySelectorAll('.axis-y .tick')].map((tick) => [valueOf(tick.textContent), place(tick)[1] - 0.5]),
    marks: [...box.querySelectorAll('.mark[data-v]')].map((mark) => ({
      css: mark.getAttribute('class'), x: Number(mark.dataset.x), v: Number(mark.dataset.v), at: place(mark),
    })),
    whiskers: [...box.querySelectorAll('.whisker')].map((w) => ({ css: w.getAttribute('class'), x: Number(w.dataset.x),
      low: Number(w.dataset.low), high: Number(w.dataset.high), ends: w.getAttribute('d').match(/-?[\d.]+/g).map(Number) })),
    bars: [...box.querySelectorAll('rect[data-v]')].map((bar) => ({ css: bar.getAttribute('class'), v: Number(bar.dataset.v),
      width: Number(bar.getAttribute('width')), height: Number(bar.getAttribute('height')) })),
    lines: [...box.querySelectorAll('.line')].length,
  }));
}

// Where `value` lies by two ticks, nearest to `seen`; the scale is the one, linear or log, by which all others agree.
function placeBy(ticks, value, seen = 0) {
  const known = ticks.filter(([tick]) => tick !== null);
  const [first, last] = [known[0], known[known.length - 1]];
  const by = (f) => (v) => first[1] + (last[1] - first[1]) * (f(v) - f(first[0])) / (f(last[0]) - f(first[0]));
  const scales = [by((v) => v), by(Math.log)].filter((at) => known.every(([tick, pixel]) => Math.abs(at(tick) - pixel) < 0.5));
  assert.ok(scales.length > 0, `ticks on no scale: ${JSON.stringify(ticks)}`);
  return scales.map((at) => at(value)).sort((a, b) => Math.abs(a - seen) - Math.abs(b - seen))[0];
}

tests.EachMarkStandsWhereItsFigureIs = async (browser) => {
  for (const page of ['sweep', 'open', 'no_peak']) {
    const report = jsonOf(page);
    const isOpen = page === 'open';
    const byLevel = new Map(report.points.map((point) => [isOpen ? point.rate_per_s : point.connections, point]));
    const latencyOf = (point) => (isOpen ? point.response : point.latency);
    const tab = await browser.tab();
    await tab.open(pageOf(page));
    const charts = await tab.evaluate(readCharts);
    const figures = {
      'rate m-rate': (point) => point.success_per_s,
      'latency m-p50': (point) => latencyOf(point).p50_us, 'latency m-p90': (point) => latencyOf(point).p90_us,
      'latency m-p99': (point) => latencyOf(point).p99_us, 'latency m-p99-9': (point) => latencyOf(point).p99_9_us,
      'cpu m-p90': (point) => point.generator_cpu_percent, 'cpu m-p99': (point) => point.generator_wait_percent,
      'delay m-p90': (point) => point.lateness.p99_us, 'delay m-p99': (point) => point.loop_lag.p99_us,
    };
    const seen = {};
    for (const chart of charts) {
      for (const mark of chart.marks) {
        const kind = `${chart.chart} ${/m-[\w-]+/.exec(mark.css)[0]}`;
        const expected = figures[kind](byLevel.get(mark.x));
        seen[kind] = (seen[kind] || 0) + 1;
        const where = `${page}: ${kind} at ${mark.x}`;
        assert.ok(Math.abs(mark.v - expected) <= 1e-9 * expected, `${where}: ${mark.v}, in the report ${expected}`);
        assert.ok(Math.abs(placeBy(chart.y, expected, mark.at[1]) - mark.at[1]) < 0.5, `${where}: its height`);
        assert.ok(Math.abs(placeBy(chart.x, mark.x, mark.at[0]) - mark.at[0]) < 0.5, `${where}: its place`);
      }
      for (const whisker of chart.whiskers) {
        const field = /c-([\w-]+)/.exec(whisker.css)[1].replace('-', '_') + '_us';
        const interval = latencyOf(byLevel.get(whisker.x)).intervals.find((each) => each.name === field);
        // M x-4 low h8 M x low V high M x-4 high h8
        const [low, high] = [whisker.ends[1], whisker.ends[5]];
        seen.whisker = (seen.whisker || 0) + 1;
        assert.ok(Math.abs(placeBy(chart.y, interval.low_us, low) - low) < 0.5, `${page}: low end at ${whisker.x}`);
        assert.ok(Math.abs(placeBy(chart.y, interval.high_us, high) - high) < 0.5, `${page}: high end at ${whisker.x}`);
      }
    }
    for (const kind of Object.keys(figures)) assert.strictEqual(seen[kind], report.points.length, `${page}: marks of ${kind}`);
    assert.strictEqual(seen.whisker, 2 * report.points.length);
    // Bars of failures: a second each, 25 s x 10 points, whose sums are those of the report.
    if (page === 'sweep') {
      const failures = charts.find((chart) => chart.chart === 'failures');
      for (const [css, column] of [['f-s429', 'failed_429'], ['f-s5', 'failed_5xx']]) {
        const drawn = failures.bars.filter((bar) => bar.css === css);
        const sum = report.points.reduce((all, point) => all + point.columns[column].reduce((a, b) => a + b, 0), 0);
        assert.ok(Math.abs(drawn.reduce((all, bar) => all + bar.v, 0) - sum) < 1e-6, `${column}: ${sum}`);
        for (const bar of drawn) {
          const height = placeBy(failures.y, 0) - placeBy(failures.y, bar.v);
          assert.ok(Math.abs(height - bar.height) < 0.5, `${column}: a bar of ${bar.v}`);
        }
      }
      assert.strictEqual(charts.find((chart) => chart.chart === 'curve').lines, 5, 'four curves, one with a bound');
    }
    await tab.close();
  }
};

const plain = (text) => text.replace(/\u00a0/g, '').replace('≥', '>=').replace('µs', 'us');

tests.PageTextAndMarkdownSayTheSameFigures = async (browser) => {
  for (const [page, of] of [['sweep', 'conns'], ['open', 'rate']]) {
    const tab = await browser.tab();
    await tab.open(pageOf(page));
    const [titles, ...rows] = await tab.evaluate(() => [...document.querySelector('h2 ~ .scroll table').rows]
      .map((row) => [...row.cells].map((cell) => cell.textContent)));
    const inPage = rows.map((row) => Object.fromEntries(titles.map((title, i) => [title, plain(row[i])])));
    const lines = textOf(page, '.txt').split('\n');
    const head = lines.findIndex((line) => line.includes('p99.9'));
    const inText = lines.slice(head + 1).filter((line) => / VALID$/.test(line));
    assert.strictEqual(inText.length, jsonOf(page).points.length);
    // By their places in the row of the text: conns requests ok failed err req/s MiB/s avg p50 p90 p95 p99 p99.9 max duration.
    const places = { requests: 1, failed: 3, 'err %': 4, 'MiB/s': 6, avg: 7, p50: 8, p90: 9, p99: 11, 'p99.9': 12, max: 13, duration: 14 };
    inText.forEach((line, i) => {
      const words = line.replace(/>=/g, ' >=').trim().split(/\s+/);
      for (const [title, place] of Object.entries(places)) {
        assert.strictEqual(inPage[i][title], words[place], `${page}: ${title} of row ${i}: page and text`);
      }
      assert.strictEqual(inPage[i]['req/s'], words[5]);
      assert.strictEqual(inPage[i][of], words[0]);
    });
    const inMarkdown = textOf(page, '.md').split('\n').filter((line) => /^\| [\d,./s]+ \|/.test(line))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    assert.strictEqual(inMarkdown.length, inText.length);
    inMarkdown.forEach((cells, i) => {
      assert.strictEqual(cells[1], inPage[i][of], `${page}: the level of row ${i}`);
      ['p50', 'p99', 'p99.9', 'max'].forEach((title, k) =>
        assert.strictEqual(cells[4 + k], inPage[i][title], `${page}: ${title} of row ${i}: page and Markdown`));
    });
    const start = await tab.evaluate(() => document.querySelector('header time').textContent);
    assert.strictEqual(start, '2026-11-26 15:58:24 UTC (2026-11-27 04:58:24 here, UTC+1300)');
    await tab.close();
  }
};

// Texts of charts that lie on each other, leave their picture, or are too small to read; and what is wider than the page.
function readLayout() {
  const wrong = [];
  for (const svg of document.querySelectorAll('.plot svg')) {
    if (!svg.parentElement.dataset.chart) continue;
    const chart = svg.parentElement.dataset.chart;
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].filter((text) => text.textContent)
      .map((text) => ({ text: text.textContent, box: text.getBoundingClientRect(), size: parseFloat(getComputedStyle(text).fontSize) }));
    const scale = frame.width / svg.viewBox.baseVal.width;
    texts.forEach((a, i) => {
      if (a.size * scale < 11) wrong.push(`${chart}: '${a.text}' is ${a.size * scale} px high`);
      if (a.box.left < frame.left - 1 || a.box.right > frame.right + 1 || a.box.bottom > frame.bottom + 1)
        wrong.push(`${chart}: '${a.text}' leaves the picture`);
      for (const b of texts.slice(i + 1)) {
        const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (across > 1 && down > 3) wrong.push(`${chart}: '${a.text}' lies on '${b.text}'`);
      }
    });
  }
  if (document.documentElement.scrollWidth > window.innerWidth)
    wrong.push(`the page is ${document.documentElement.scrollWidth} px wide, the window ${window.innerWidth}`);
  return wrong;
}

tests.NothingOverflowsOrOverlaps = async (browser) => {
  for (const page of ALL_PAGES) {
    for (const [width, colours] of [[390, 'light'], [390, 'dark'], [1280, 'light'], [800, 'dark']]) {
      const tab = await browser.tab({ width, colours });
      await tab.open(pageOf(page));
      assert.deepStrictEqual(await tab.evaluate(readLayout), [], `${page} at ${width} px, ${colours}`);
      await tab.close();
    }
  }
  // A page that was opened wide is drawn again when it becomes narrow.
  const tab = await browser.tab();
  await tab.open(pageOf('sweep'));
  await tab.send('Emulation.setDeviceMetricsOverride', { width: 390, height: 800, deviceScaleFactor: 1, mobile: true });
  await tab.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50))));
  assert.deepStrictEqual(await tab.evaluate(readLayout), []);
};

tests.ItPrintsOnA4 = async (browser) => {
  const verdicts = (report) => report.points.map((point) => point.verdict);
  for (const [page, mostPages] of [['sweep', 6], ['big', 8], ['none_valid', 4], ['streams', 4]]) {
    // From dark: paper is white.
    const tab = await browser.tab({ colours: 'dark' });
    await tab.open(pageOf(page));
    const answer = await tab.evaluate(() => document.querySelector('h1').textContent.replace(/\s+/g, ' '));
    const { data } = await tab.send('Page.printToPDF', { preferCSSPageSize: true, printBackground: true });
    const file = path.join(folder, `${page}.pdf`);
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
    const text = execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' });
    const words = text.replace(/\s+/g, ' ');
    const pages = text.split('\f').length - 1;
    console.log(`${page}: ${pages} pages`);
    assert.ok(pages <= mostPages, `${page}: ${pages} pages`);
    for (const word of answer.split(' ').filter((each) => each.length > 3)) assert.ok(words.includes(word), `${page}: ${word}`);
    for (const verdict of verdicts(jsonOf(page))) assert.ok(words.includes(verdict), `${page}: ${verdict}`);
    assert.ok(words.includes('How to read this') && words.includes('of the generator'.slice(0, 2)), 'folded parts are open');
    const last = jsonOf(page).points.slice(-1)[0];
    assert.ok(words.includes(last.connections.toLocaleString('en-US')), `${page}: the last row`);
    if (page === 'sweep') assert.ok(words.includes('plan.yaml') && words.includes('duration: 25s'), 'the plan');
    // Text of charts, by its height on paper.
    const boxes = [...execFileSync('pdftotext', ['-bbox', file, '-'], { encoding: 'utf8' })
      .matchAll(/yMin="([\d.]+)" xMax="[\d.]+" yMax="([\d.]+)">([^<]*)</g)]
      .filter(([, , , word]) => word === '(log)').map(([, top, bottom]) => bottom - top);
    if (page === 'sweep') assert.ok(boxes.length >= 2 && Math.min(...boxes) >= 7, `heights of chart text: ${boxes}`);
    const images = execFileSync('pdfimages', ['-list', file], { encoding: 'utf8' }).split('\n').filter((line) => /\simage\s/.test(line));
    assert.ok(images.length <= 1, `${page}: images ${images}`);
    await tab.close();
  }
};

// ---- colours: WCAG 2.2 contrast; CIEDE2000; colour vision after Machado, Oliveira, Fernandes 2009, severity 1

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const luminance = (hex) => {
  const [r, g, b] = channels(hex).map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const VISIONS = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
};
function lab(hex, vision) {
  const rgb = channels(hex).map(linear);
  const [r, g, b] = vision.map((row) => Math.min(1, Math.max(0, row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])));
  const xyz = [(0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047, 0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
    (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883];
  const [x, y, z] = xyz.map((v) => (v > 216 / 24389 ? Math.cbrt(v) : (24389 / 27 * v + 16) / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
function difference([L1, a1, b1], [L2, a2, b2]) {  // Sharma, Wu, Dalal 2005
  const rad = Math.PI / 180;
  const mean = (Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2;
  const G = 0.5 * (1 - Math.sqrt(mean ** 7 / (mean ** 7 + 25 ** 7)));
  const [A1, A2] = [a1 * (1 + G), a2 * (1 + G)];
  const [C1, C2] = [Math.hypot(A1, b1), Math.hypot(A2, b2)];
  const hue = (a, b) => (a === 0 && b === 0 ? 0 : (Math.atan2(b, a) / rad + 360) % 360);
  const [h1, h2] = [hue(A1, b1), hue(A2, b2)];
  let dh = C1 * C2 === 0 ? 0 : h2 - h1;
  if (dh > 180) dh -= 360;
  if (dh < -180) dh += 360;
  const dH = 2 * Math.sqrt(C1 * C2) * Math.sin(dh / 2 * rad);
  const [L, C] = [(L1 + L2) / 2, (C1 + C2) / 2];
  let h = h1 + h2;
  if (C1 * C2 !== 0) h = Math.abs(h1 - h2) <= 180 ? h / 2 : (h + (h < 360 ? 360 : -360)) / 2;
  const T = 1 - 0.17 * Math.cos((h - 30) * rad) + 0.24 * Math.cos(2 * h * rad) + 0.32 * Math.cos((3 * h + 6) * rad) -
    0.2 * Math.cos((4 * h - 63) * rad);
  const SL = 1 + 0.015 * (L - 50) ** 2 / Math.sqrt(20 + (L - 50) ** 2);
  const [SC, SH] = [1 + 0.045 * C, 1 + 0.015 * C * T];
  const RT = -Math.sin(60 * Math.exp(-(((h - 275) / 25) ** 2)) * rad) * 2 * Math.sqrt(C ** 7 / (C ** 7 + 25 ** 7));
  const [l, c, k] = [(L2 - L1) / SL, (C2 - C1) / SC, dH / SH];
  return Math.sqrt(l * l + c * c + k * k + RT * c * k);
}

tests.ColoursAreToldApart = async (browser) => {
  // Pairs from Sharma, Wu and Dalal's table: the reckoning itself is right.
  assert.ok(Math.abs(difference([50, 2.6772, -79.7751], [50, 0, -82.7485]) - 2.0425) < 1e-4);
  assert.ok(Math.abs(difference([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387]) - 1.2644) < 1e-4);
  const TOGETHER = [['p50', 'p90', 'p99', 'p99-9'], ['s4', 's429', 's5', 'none'], ['p99', 'p50', 'p90'], ['rate', 'base'], ['p99', 'base']];
  for (const colours of ['light', 'dark']) {
    const tab = await browser.tab({ colours });
    await tab.open(pageOf('sweep'));
    const named = await tab.evaluate((names) => Object.fromEntries(names.map((each) =>
      [each, getComputedStyle(document.documentElement).getPropertyValue('--' + each).trim()])),
    ['bg', 'panel', 'ink', 'muted', 'ok', 'warn', 'bad', 'rate', 'base', 'p50', 'p90', 'p99', 'p99-9', 's4', 's429', 's5', 'none', 'late', 'other', 'unsent']);
    for (const text of ['ink', 'muted', 'ok', 'warn', 'bad']) {
      for (const ground of ['bg', 'panel']) {
        assert.ok(contrast(named[text], named[ground]) >= 4.5, `${colours}: ${text} on ${ground}: ${contrast(named[text], named[ground])}`);
      }
    }
    for (const line of ['rate', 'base', 'p50', 'p90', 'p99', 'p99-9', 's4', 's429', 's5', 'none', 'late', 'other', 'unsent']) {
      assert.ok(contrast(named[line], named.bg) >= 3, `${colours}: ${line}: ${contrast(named[line], named.bg)}`);
    }
    for (const group of TOGETHER) {
      for (const [vision, matrix] of Object.entries(VISIONS)) {
        group.forEach((a, i) => group.slice(i + 1).forEach((b) => {
          const d = difference(lab(named[a], matrix), lab(named[b], matrix));
          assert.ok(d >= 15, `${colours}, ${vision}: ${a} and ${b} differ by ${d}`);
        }));
      }
    }
    await tab.close();
  }
};

tests.WhatOthersWroteIsInert = async (browser) => {
  const source = fs.readFileSync(pageOf('hostile'), 'utf8');
  assert.ok(!/[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069]/.test(source), 'control characters');
  assert.ok(source.length < 600e3, `${source.length} bytes: long texts are cut`);
  for (const hasScripts of [true, false]) {
    const tab = await browser.tab({ hasScripts });
    await tab.open(pageOf('hostile'));
    const seen = await tab.evaluate(() => ({
      scripts: document.scripts.length, images: document.images.length, title: document.title,
      handlers: [...document.querySelectorAll('*')].flatMap((node) => [...node.attributes])
        .filter((attribute) => attribute.name.startsWith('on') || attribute.name === 'style').length,
      styles: document.styleSheets.length, text: document.body.textContent,
      sections: [...document.querySelectorAll('h2')].map((node) => node.textContent),
    }));
    assert.deepStrictEqual([seen.scripts, seen.images, seen.handlers, seen.styles], [3, 0, 0, 1]);
    assert.ok(seen.text.includes('</script></title></style><img src=x onerror=alert(1)>'), 'it is shown as it reads');
    assert.deepStrictEqual(tab.messages, []);
    assert.deepStrictEqual(tab.requests, ['file://' + pageOf('hostile')]);
    assert.ok(seen.sections.includes('To repeat it'), `the page goes on behind it: ${seen.sections}`);
    await tab.close();
  }
  // A script that got in after all would not run: the policy knows ours alone.
  const tab = await browser.tab();
  const broken = path.join(folder, 'injected.page');
  fs.writeFileSync(broken + '.html', source.replace('<main>', '<main><script>document.title = "ran"</script><p onclick="1" style="color:red">'));
  await tab.open(broken + '.html');
  fs.unlinkSync(broken + '.html');
  assert.notStrictEqual(await tab.evaluate(() => document.title), 'ran');
  assert.ok(tab.messages.some((message) => /Content Security Policy/.test(message)), `${tab.messages}`);
};

tests.NoStateHasAnEmptyChartOrAFalseWord = async (browser) => {
  const answers = {};
  for (const page of PAGES) {
    const report = jsonOf(page);
    const tab = await browser.tab();
    await tab.open(pageOf(page));
    const seen = await tab.evaluate(() => ({
      text: document.querySelector('main').textContent,
      attributes: [...document.querySelectorAll('.plot *')].flatMap((node) => [...node.attributes].map((a) => `${a.name}=${a.value}`))
        .filter((text) => /NaN|undefined|Infinity|null/.test(text)),
      chip: document.querySelector('.chip').className, answer: document.querySelector('h1').textContent,
      charts: [...document.querySelectorAll('[data-chart]')].map((box) => ({
        chart: box.dataset.chart, label: box.querySelector('svg').getAttribute('aria-label'), role: box.querySelector('svg').getAttribute('role'),
        drawn: box.querySelectorAll('.data .line[d], .data .mark, .data rect, .data image').length,
        ticks: Math.min(...['x', 'y'].map((axis) => (box.dataset.chart === 'split' && axis === 'y' ? 2 : box.querySelectorAll(`.axis-${axis} .tick`).length))),
        title: box.closest('figure').querySelector('h3').textContent,
        hasTable: box.dataset.chart === 'agent' || box.dataset.chart === 'rate-time' || !!box.closest('figure').querySelector('details table'),
      })),
      tables: [...document.querySelectorAll('table')].map((table) => table.tBodies[0].rows.length),
    }));
    answers[page] = seen.answer.replace(/\s+/g, ' ');
    if (page !== 'hostile') assert.ok(!/NaN|undefined|Infinity|\bnull\b|\binf\b/.test(seen.text), `${page}: ${/.{40}(NaN|undefined|Infinity|null|inf\b).{20}/.exec(seen.text)}`);
    assert.deepStrictEqual(seen.attributes, [], `${page}: attributes`);
    for (const chart of seen.charts) {
      assert.ok(chart.drawn > 0 && chart.ticks >= 2, `${page}: ${chart.chart} is empty: ${JSON.stringify(chart)}`);
      assert.ok(chart.label && chart.title && chart.role === 'img' && chart.hasTable, `${page}: ${JSON.stringify(chart)}`);
      assert.ok(!/-\/s|NaN/.test(chart.label), `${page}: ${chart.label}`);
    }
    assert.ok(seen.tables.every((rows) => rows > 0), `${page}: a table without rows`);
    // Beyond "no peak", and what a word means, a peak is named where the sweep went beyond it alone.
    const said = seen.text.replace(/No peak within the sweep/g, '').replace(/Its peak is named only[^.]*\./g, '');
    if (!(report.capacity && report.capacity.has_peak)) assert.ok(!/\bpeak\b/i.test(said), `${page}: ${/.{30}peak.{30}/i.exec(said)}`);
    const isMissed = (report.points || []).some((point) => (point.expected || []).some((expected) => !expected.is_met));
    const isValid = (report.points || []).length > 0 && report.points.every((point) => point.verdict === 'VALID');
    assert.strictEqual(/\bok\b/.test(seen.chip), isValid && !isMissed && report.status === 'COMPLETE' &&
      page !== 'all_failed', `${page}: the chip is ${seen.chip}`);
    await tab.close();
  }
  console.log(answers);
  assert.match(answers.sweep, /MISSED AT 256 Holds 192 connections/);
  assert.match(answers.one, /VALID Holds 128 connections with/);
  assert.match(answers.none_valid, /0 of 3 points valid/);
  assert.match(answers.no_peak, /No peak within the sweep: at least/);
  assert.match(answers.all_failed, /FAILED No request succeeded/);
  assert.match(answers.never_sent, /FAILED No request was sent/);
  assert.match(answers.partial, /PARTIAL/);
  assert.match(answers.streams, /1,000 connections: [\d,]+ messages\/s, staleness p99/);
  const tab = await browser.tab();
  await tab.open(pageOf('agents'));
  const agents = await tab.evaluate(() => ({ charts: document.querySelectorAll('[data-chart=agent]').length,
    names: [...document.querySelectorAll('.small h3')].map((node) => Number(node.textContent.replace('agent ', ''))),
    rows: Math.max(...[...document.querySelectorAll('details table')].map((table) => table.tBodies[0].rows.length)) }));
  assert.strictEqual(agents.charts, 12);
  assert.ok(agents.names.filter((agent) => agent % 97 === 3).length >= 9, `the slow ones are drawn: ${agents.names}`);
  assert.strictEqual(agents.rows, 1000);
};

tests.AComparisonSaysWhatIsKnownAndShowsBothSides = async (browser) => {
  const answers = {
    regressed: [/REGRESSED 20 of 20 figures regressed: .* is 1\.1[12]\d times what it was \(95 %: 1\.1/, 'bad', 2],
    improved: [/IMPROVED 20 of 20 figures improved, none regressed: .* is 0\.[89]\d+ times/, 'ok', 2],
    equivalent: [/EQUIVALENT Each figure lies within 3 % of what it was/, 'ok', 2],
    inconclusive: [/INCONCLUSIVE Nothing is known to have regressed, but 20 of 20 figures may have: about \d+ runs/, 'warn', 2],
    one_each: [/INDICATIVE One run against one tells nothing of other runs/, 'warn', 2],
    one_level: [/REGRESSED 4 of 4 figures regressed/, 'bad', 2],
    other_levels: [/NOT COMPARED 'after-0.json' and 'before-0.json' differ in the plan/, 'warn', 2],
    other_kind: [/NOT COMPARED 'after-0.json' and 'before-0.json' differ in the plan/, 'warn', 0],
    hostile: [/NOT COMPARED/, 'warn', 2],
  };
  assert.deepStrictEqual(COMPARISONS.map((page) => page.slice(9)).sort(), Object.keys(answers).sort());
  for (const [state, [answer, tone, charts]] of Object.entries(answers)) {
    const tab = await browser.tab();
    await tab.open(pageOf(`compared_${state}`));
    const seen = await tab.evaluate(() => ({
      answer: document.querySelector('h1').textContent.replace(/\s+/g, ' '), chip: document.querySelector('.chip').className,
      text: document.querySelector('main').textContent, images: document.images.length, scripts: document.scripts.length,
      attributes: [...document.querySelectorAll('.plot *')].flatMap((node) => [...node.attributes].map((a) => `${a.name}=${a.value}`))
        .filter((text) => /NaN|undefined|Infinity|null/.test(text)),
      charts: [...document.querySelectorAll('[data-chart]')].map((box) => ({
        lines: ['base', 'rate', 'p50', 'p99'].map((css) => box.querySelectorAll(`.data .line.c-${css}[d]`).length),
        marks: ['base', 'rate', 'p50', 'p99'].map((css) => box.querySelectorAll(`.data .mark.m-${css}`).length),
        legend: box.closest('figure').querySelector('.legend').textContent,
      })),
      sections: [...document.querySelectorAll('h2')].map((node) => node.textContent),
    }));
    assert.match(seen.answer, answer, state);
    assert.ok(seen.chip.split(' ').includes(tone), `${state}: ${seen.chip}`);
    assert.deepStrictEqual(seen.attributes, [], state);
    assert.ok(!/NaN|undefined|Infinity/.test(seen.text.replace(/onerror.*/g, '')), state);
    assert.deepStrictEqual([seen.images, seen.scripts], [0, 3], state);
    assert.strictEqual(seen.charts.length, charts, state);
    for (const chart of seen.charts) {
      assert.ok(chart.lines[0] > 0 && chart.lines.slice(1).some((count) => count > 0), `${state}: a side is not drawn: ${JSON.stringify(chart)}`);
      assert.match(chart.legend, /before.*after/);
    }
    if (state === 'regressed') assert.deepStrictEqual(seen.charts.map((chart) => chart.marks), [[50, 50, 0, 0], [100, 0, 50, 50]]);
    assert.strictEqual(seen.sections.includes('What changed'), !/NOT COMPARED/.test(seen.answer), state);
    assert.strictEqual(seen.sections.includes('Side by side'), state !== 'other_kind', state);
    await tab.close();
  }
};

async function main() {
  const program = findBrowser();
  if (!program) {
    console.log('skipped: there is no chromium; scripts/setup installs it');
    process.exitCode = 77;
    return;
  }
  const browser = new Browser(program);
  try {
    await tests[name](browser);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error.stack);
  process.exitCode = 1;
});
