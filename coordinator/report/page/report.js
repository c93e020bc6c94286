// Draws the charts of a report into their places in the page: again when its width, the colours or the medium change.
// The page says in words and tables what they show; what is written here into it is text, never HTML.
(() => {
  'use strict';

  const report = JSON.parse(document.getElementById('data').textContent);
  const points = report.points;
  const NO_BREAK = '\u00a0';
  const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

  // ---- figures, as the tables have them

  // Three significant digits, and those before the point.
  const threeDigits = (value) => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
  const time = (us) =>
    us < 999.5 ? us.toFixed(us < 9.95 ? 1 : 0) + NO_BREAK + 'µs'
    : us < 999500 ? threeDigits(us / 1e3) + NO_BREAK + 'ms'
    : threeDigits(us / 1e6) + NO_BREAK + 's';
  const timeTick = (us) => {
    const [value, unit] = us < 1e3 ? [us, 'µs'] : us < 1e6 ? [us / 1e3, 'ms'] : [us / 1e6, 's'];
    return Number(value.toPrecision(3)) + NO_BREAK + unit;
  };
  const count = d3.format(',.0f');
  const rate = (value) => (value < 9.995 ? String(Number(value.toPrecision(3))) : count(value));
  const shortCount = (value) => {
    const [scaled, unit] = value >= 1e6 ? [value / 1e6, 'M'] : value >= 1e4 ? [value / 1e3, 'k'] : [value, ''];
    return (unit ? Number(scaled.toPrecision(3)) : d3.format(',')(Number(scaled.toPrecision(4)))) + unit;
  };
  const percent = (value) => Number(value.toPrecision(3)) + NO_BREAK + '%';

  // ---- scales

  let isPrinting = false;
  const cssName = (name) => name.replace('.', '-').replace('_', '-').replace('-us', '');

  // 1-2-5 of each decade; fewer of many decades, more of less than one.
  function logTicks(low, high) {
    const ratio = high / low;
    const steps = ratio > 3e4 ? [1] : ratio > 500 ? [1, 3] : ratio > 8 ? [1, 2, 5] : ratio > 2.5 ? [1, 1.5, 2, 3, 4, 5, 7] : null;
    if (!steps) return d3.ticks(low, high, 4);
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); ++power) {
      for (const step of steps) {
        const value = Number((step * 10 ** power).toPrecision(2));
        if (value >= low && value <= high) ticks.push(value);
      }
    }
    return ticks;
  }

  // An axis of latencies, with room above and below what it shows.
  function latencyAxis(values) {
    const shown = values.filter((value) => isNumber(value) && value > 0);
    const low = d3.min(shown) / 1.3;
    const high = d3.max(shown) * 1.4;
    return { type: 'log', domain: [low, high], ticks: logTicks(low, high), format: timeTick };
  }

  function linearAxis(high, format, tickCount = 5) {
    const top = high > 0 ? high * 1.08 : 1;
    return { type: 'linear', domain: [0, top], ticks: d3.ticks(0, top, tickCount), format };
  }

  const levels = points.map((point) => point.level);
  // The levels of the sweep: on a log axis where they span so much that small ones would lie on each other.
  function levelAxis() {
    const low = d3.min(levels);
    const high = d3.max(levels);
    const isLog = low > 0 && high / low > 4;
    const pad = isLog ? [low / 1.15, high * 1.15] : [low - (high - low) * 0.04, high + (high - low) * 0.04];
    const names = new Map(points.map((point) => [point.level, point.name]));
    return {
      type: isLog ? 'log' : 'linear', domain: pad, ticks: [...new Set(levels)].sort(d3.ascending),
      format: (level) => names.get(level), title: report.levels + (isLog ? ' (log)' : ''),
    };
  }

  const scaleOf = (axis, range) =>
    (axis.type === 'log' ? d3.scaleLog() : d3.scaleLinear()).domain(axis.domain).range(range);

  // Of ticks that would lie on each other some are left out, never the first or the last.
  function thinned(ticks, at, gap) {
    const kept = [];
    ticks.forEach((tick, i) => {
      const isLast = i === ticks.length - 1;
      const room = (other) => Math.abs(at(tick) - at(other)) >= gap(other, tick);
      if (isLast) while (kept.length > 1 && !room(kept[kept.length - 1])) kept.pop();
      if (isLast ? kept.length === 0 || room(kept[0]) : kept.length === 0 || room(kept[kept.length - 1])) kept.push(tick);
    });
    return kept;
  }

  // ---- the frame of a chart

  const widthOf = (box) => {
    // Of the figure: an empty place is not laid out.
    if (!isPrinting) return Math.max(200, box.parentElement.clientWidth);
    return box.closest('.small') ? 222 : box.closest('.grid') && !box.closest('.wide') ? 340 : 695;
  };

  // Width of text of 12 px, rounded up: a measured one would need a layout for each.
  const textWidth = (text) => String(text).length * 7.2 + 2;

  // An empty plot with its axes in `box`: scales x and y, and `layer`, in which the data are drawn.
  function frame(box, { x, y, height = 300, right = 14, left = 58 }) {
    const width = widthOf(box);
    if (isPrinting && height >= 200) height *= 0.76;
    const bottom = x.title ? 42 : 24;
    const top = 12;
    const svg = d3.create('svg').attr('viewBox', `0 0 ${width} ${height}`).attr('width', width).attr('height', height)
      .attr('role', 'img').attr('aria-label', box.dataset.label);
    const X = scaleOf(x, [left, width - right]);
    const Y = scaleOf(y, [height - bottom, top]);
    const yTicks = thinned(y.ticks, Y, () => 14);
    const xTicks = thinned(x.ticks, X, (a, b) => (textWidth(x.format(a)) + textWidth(x.format(b))) / 2 + 6);
    svg.append('g').attr('class', 'grid-lines').attr('transform', `translate(${left},0)`)
      .call(d3.axisLeft(Y).tickValues(yTicks).tickSize(-(width - left - right)).tickFormat(''));
    svg.append('g').attr('class', 'axis-y').attr('transform', `translate(${left},0)`)
      .call(d3.axisLeft(Y).tickValues(yTicks).tickFormat(y.format).tickSize(0).tickPadding(6))
      .select('.domain').remove();
    const axis = svg.append('g').attr('class', 'axis-x').attr('transform', `translate(0,${height - bottom})`)
      .call(d3.axisBottom(X).tickValues(xTicks).tickFormat(x.format).tickSizeOuter(0).tickPadding(5));
    // A label that would leave the picture ends where it ends.
    axis.selectAll('text').each(function (tick) {
      const half = textWidth(x.format(tick)) / 2;
      if (X(tick) + half > width) d3.select(this).attr('text-anchor', 'end').attr('dx', width - X(tick));
    });
    if (x.title) {
      svg.append('text').attr('class', 'axis-title').attr('x', (left + width - right) / 2).attr('y', height - 5)
        .attr('text-anchor', 'middle').text(textWidth(x.title) < width - left ? x.title : x.title.split(';')[0]);
    }
    svg.selectAll('.axis-y text, .axis-x text').attr('font-family', null).attr('font-size', null).attr('fill', null);
    svg.selectAll('g').attr('font-family', null).attr('font-size', null);
    const layer = svg.append('g').attr('class', 'data');
    box.replaceChildren(svg.node());
    return { svg, layer, X, Y, width, height, left, right, top, bottom, end: width - right, floor: height - bottom };
  }

  // ---- marks

  const SHAPES = { p50: d3.symbolCircle, p90: d3.symbolSquare, p99: d3.symbolTriangle, 'p99.9': d3.symbolDiamond };
  const DASHES = { p50: null, p90: '7 3', p99: '2 2', 'p99.9': '9 3 2 3' };

  // A line through [x, y] pairs; it breaks where y is not known.
  function line(F, pairs, css, attributes = {}) {
    const path = d3.line().defined((pair) => pair && isNumber(pair[1]))
      .x((pair) => F.X(pair[0])).y((pair) => F.Y(pair[1]));
    const drawn = F.layer.append('path').attr('class', 'line ' + css).attr('d', path(pairs));
    for (const [name, value] of Object.entries(attributes)) drawn.attr(name, value);
    return drawn;
  }

  // A mark that says what it stands for: data-x and data-v hold the figures, its title the words.
  function mark(F, { x, v, css, shape = d3.symbolCircle, isHollow = false, title }) {
    F.layer.append('path').attr('class', `mark m-${css}${isHollow ? ' hollow' : ''}`)
      .attr('d', d3.symbol().type(shape).size(52)()).attr('transform', `translate(${F.X(x)},${F.Y(v)})`)
      .attr('data-x', x).attr('data-v', v)
      .append('title').text(title);
  }

  function whisker(F, x, low, high, css) {
    const [bottom, top] = F.Y.domain();
    const [y1, y2] = [F.Y(Math.max(low, bottom)), F.Y(Math.min(high, top))];
    F.layer.append('path').attr('class', `whisker c-${css}`).attr('data-x', x).attr('data-low', low).attr('data-high', high)
      .attr('d', `M${F.X(x) - 4} ${y1}h8M${F.X(x)} ${y1}V${y2}M${F.X(x) - 4} ${y2}h8`);
  }

  function arrowUp(F, x, v, css) {
    F.layer.append('path').attr('class', `arrow c-${css}`).attr('d', `M${F.X(x)} ${F.Y(v) - 6}v-10m-3 4l3 -4l3 4`);
  }

  function text(F, x, y, css, words, anchor = 'start') {
    return F.layer.append('text').attr('class', css).attr('x', x).attr('y', y).attr('text-anchor', anchor).text(words);
  }

  // What the colours and shapes mean, above the plot: [words, draw(svg)] each.
  function legend(box, entries) {
    const place = box.parentElement.querySelector('.legend');
    if (!place) return;
    place.replaceChildren(...entries.map(([words, draw]) => {
      const entry = document.createElement('span');
      const picture = d3.create('svg').attr('viewBox', '0 0 30 12').attr('width', 30).attr('height', 12).attr('aria-hidden', 'true');
      draw(picture);
      entry.append(picture.node(), words);
      return entry;
    }));
    place.classList.add('plot');
  }
  const lineKey = (css, { dash = null, shape = null } = {}) => (picture) => {
    picture.append('line').attr('class', css).attr('x1', 0).attr('x2', 30).attr('y1', 6).attr('y2', 6)
      .attr('stroke-width', 2.5).attr('stroke-dasharray', dash);
    if (shape) {
      picture.append('path').attr('class', `mark ${css.replace(/\bc-/, 'm-')}`).attr('d', d3.symbol().type(shape).size(46)())
        .attr('transform', 'translate(15,6)');
    }
  };
  const boxKey = (css) => (picture) =>
    picture.append('rect').attr('class', css).attr('x', 9).attr('y', 0).attr('width', 12).attr('height', 12);

  function limitLine(F) {
    const y = F.Y(report.limit.us);
    F.layer.append('line').attr('class', 'limit-line').attr('x1', F.left).attr('x2', F.end).attr('y1', y).attr('y2', y)
      .attr('data-v', report.limit.us);
    text(F, F.end + 6, y + 4, 'limit', report.limit.value);
  }

  const byLevel = [...points].sort((a, b) => a.level - b.level);

  // ---- charts over the levels

  const charts = {};

  charts.rate = (box) => {
    const capacity = report.capacity || {};
    const shown = byLevel.filter((point) => isNumber(point.rate));
    const fitted = (n) =>
      capacity.gamma * n / (1 + capacity.sigma * (n - 1) + capacity.kappa * n * (n - 1));
    const x = levelAxis();
    const fit = [];
    if (isNumber(capacity.gamma)) {
      const [low, high] = [Math.max(x.domain[0], 1e-9), x.domain[1]];
      for (let i = 0; i <= 96; ++i) {
        const n = x.type === 'log' ? low * (high / low) ** (i / 96) : low + (high - low) * (i / 96);
        fit.push([n, Math.max(0, fitted(n))]);
      }
    }
    const highest = Math.max(d3.max(shown, (point) => point.rate), d3.max(fit, (pair) => pair[1]) || 0);
    const F = frame(box, { x, y: linearAxis(highest, (value) => shortCount(value) + '/s'), right: 18 });
    const inside = (n) => Math.min(Math.max(F.X(n), F.left), F.end);
    const band = (low, high, css) =>
      F.layer.append('rect').attr('class', css).attr('x', inside(low)).attr('y', F.top)
        .attr('width', Math.max(2, inside(high) - inside(low))).attr('height', F.floor - F.top);
    if (isNumber(capacity.knee_low)) {
      band(capacity.knee_low, capacity.knee_high, 'knee-band');
    }
    if (isNumber(capacity.low)) band(capacity.low, capacity.high, 'peak-band');
    if (fit.length) line(F, fit, 'fit');
    else line(F, shown.map((point) => [point.level, point.rate]), 'thin c-rate');
    if (isNumber(capacity.peak)) {
      F.layer.append('line').attr('class', 'peak').attr('data-x', capacity.peak).attr('x1', F.X(capacity.peak))
        .attr('x2', F.X(capacity.peak)).attr('y1', F.top).attr('y2', F.floor);
      const isLeft = F.X(capacity.peak) > (F.left + F.end) / 2;
      const at = F.X(capacity.peak) + (isLeft ? -8 : 8);
      text(F, at, F.floor - 26, 'key', capacity.peak_text, isLeft ? 'end' : 'start');
      text(F, at, F.floor - 10, '', capacity.peak_at, isLeft ? 'end' : 'start');
    }
    for (const point of shown) {
      mark(F, { x: point.level, v: point.rate, css: 'rate', isHollow: !point.valid,
        title: `${point.name}: ${rate(point.rate)}/s, ${point.verdict}` });
    }
  };

  charts.latency = (box) => {
    const kinds = ['p50', 'p90', 'p99', 'p99.9'];
    const field = (kind) => kind.replace('.', '_') + '_us';
    const values = points.flatMap((point) => kinds.map((kind) => point.latency[field(kind)]));
    const bounds = points.flatMap((point) => Object.values(point.latency.intervals).map((interval) => interval[1]));
    if (report.limit) values.push(report.limit.us);
    const F = frame(box, { x: levelAxis(), y: latencyAxis([...values, ...bounds]),
      right: report.limit ? Math.max(18, textWidth(report.limit.value) + 10) : 18 });
    if (report.limit) limitLine(F);
    const present = kinds.filter((kind) => points.some((point) => isNumber(point.latency[field(kind)])));
    for (const kind of present) {
      const css = cssName(kind);
      const name = field(kind);
      line(F, byLevel.map((point) => [point.level, point.latency[name]]), `c-${css}`);
      for (const point of byLevel) {
        const v = point.latency[name];
        if (!isNumber(v) || v <= 0) continue;
        const interval = point.latency.intervals[name];
        if (interval) whisker(F, point.level, interval[0], interval[1], css);
        const isBound = point.latency.at_least.includes(name);
        if (isBound) arrowUp(F, point.level, v, css);
        mark(F, { x: point.level, v, css, shape: SHAPES[kind], isHollow: !point.valid,
          title: `${point.name}: ${kind} ${isBound ? '≥' + NO_BREAK : ''}${time(v)}` });
      }
    }
    legend(box, [...present].reverse().map((kind) => [kind, lineKey(`c-${cssName(kind)}`, { shape: SHAPES[kind] })]));
  };

  // ---- quantiles

  const QUANTILES = [[1, '0'], [2, '50 %'], [10, '90 %'], [100, '99 %'], [1e3, '99.9 %'], [1e4, '99.99 %'],
    [1e5, '99.999 %'], [1e6, '99.9999 %'], [1e7, '99.99999 %'], [1e8, '99.999999 %']];

  charts.curve = (box) => {
    const shown = points.filter((point) => point.curve);
    const kinds = Object.keys(SHAPES);
    const most = d3.max(shown, (point) => d3.max(point.curve.beyond));
    const x = { type: 'log', domain: [1, Math.max(most, 10)], ticks: QUANTILES.map(([beyond]) => beyond).filter((v) => v <= Math.max(most, 10)),
      format: (beyond) => QUANTILES.find(([value]) => value === beyond)[1].replace(' ', NO_BREAK), title: 'quantile' };
    const all = shown.flatMap((point) => point.curve.us);
    if (report.limit) all.push(report.limit.us);
    const F = frame(box, { x, y: latencyAxis(all), right: report.limit ? Math.max(18, textWidth(report.limit.value) + 10) : 18 });
    if (report.limit) limitLine(F);
    shown.forEach((point, i) => {
      const { beyond, us, at_least_from: from } = point.curve;
      const pairs = beyond.map((value, k) => [value, us[k]]).filter((pair) => pair[0] >= 1 && pair[1] > 0);
      const first = from === undefined ? pairs.length : pairs.findIndex((pair) => pair[0] >= from);
      const cut = first < 0 ? pairs.length : first;
      line(F, pairs.slice(0, cut), `c-${cssName(kinds[i])}`, { 'stroke-dasharray': DASHES[kinds[i]], 'data-name': point.name });
      // From here on values are lower bounds.
      if (cut < pairs.length) line(F, pairs.slice(Math.max(0, cut - 1)), `bound c-${cssName(kinds[i])}`);
    });
    legend(box, shown.map((point, i) =>
      [`${point.name} ${report.levels.replace('requests/s ', '')}`, lineKey(`c-${cssName(kinds[i])}`, { dash: DASHES[kinds[i]] })]));
  };

  // ---- over time: all points one after the other

  // Where each point's rows begin on the common axis, in rows of the shortest length, and how many there are.
  function timeline() {
    let at = 0;
    const parts = [];
    for (const point of points) {
      if (!point.time) continue;
      parts.push({ point, first: at, rows: point.time.rows, seconds: point.time.row_s });
      at += point.time.rows;
    }
    return { parts, rows: at };
  }

  function timeAxis({ parts, rows }) {
    if (parts.length === 1) {
      const length = rows * parts[0].seconds;
      const ticks = d3.ticks(0, length, 8);
      return { type: 'linear', domain: [0, rows], ticks: ticks.map((second) => second / parts[0].seconds),
        format: (row) => d3.format(',')(row * parts[0].seconds), title: 'seconds' };
    }
    const names = new Map(parts.map((part) => [part.first, part.point.name]));
    return { type: 'linear', domain: [0, rows], ticks: [...names.keys()], format: (row) => names.get(row),
      title: `${report.levels} of the point; ${parts[0].seconds === 1 ? 'a second' : parts[0].seconds + ' s'} per column` };
  }

  // White gaps between points.
  function gaps(F, { parts }) {
    for (const part of parts.slice(1)) {
      F.layer.append('line').attr('class', 'gap').attr('x1', F.X(part.first)).attr('x2', F.X(part.first))
        .attr('y1', F.top).attr('y2', F.floor);
    }
  }

  // [row, least, largest] of no more columns than there are pixels: what stands out is never lost between them.
  function extremes(values, columns) {
    const per = Math.max(1, Math.ceil(values.length / Math.max(1, columns)));
    const out = [];
    for (let i = 0; i < values.length; i += per) {
      const shown = values.slice(i, i + per).filter(isNumber);
      out.push(shown.length ? [i + Math.min(per, values.length - i) / 2, d3.min(shown), d3.max(shown)] : [i, null, null]);
    }
    return out;
  }

  function timeLine(F, first, values, css) {
    const rows = extremes(values, F.end - F.left);
    const isThinned = rows.length < values.length;
    const pairs = rows.flatMap(([row, low, high]) =>
      isThinned ? [[first + row, low], [first + row, high]] : [[first + row, high]]);
    line(F, pairs, css);
  }

  const colours = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim().split(/\s+/)
    .map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));

  // One cell for each row and bucket, as an image: 6,000 x 40 cells are one element. `merge`: buckets to a cell.
  function heatImage(parts, rows, low, high, merge) {
    const canvas = document.createElement('canvas');
    const height = Math.ceil((high - low) / merge);
    const width = Math.min(rows, 2400);
    canvas.width = width;
    canvas.height = height;
    const cells = new Float64Array(width * height);
    for (const { point, first } of parts) {
      (point.heat || []).forEach((row, i) => {
        const column = Math.floor((first + i) * width / rows);
        for (let k = 1; k < row.length; ++k) {
          const cell = Math.floor((row[0] + k - 1 - low) / merge);
          if (cell >= 0 && cell < height) cells[(height - 1 - cell) * width + column] += row[k];
        }
      });
    }
    const palette = colours(isPrinting ? '--heat-light' : '--heat');
    const most = Math.log(Math.max(2, d3.max(cells)));
    const context = canvas.getContext('2d');
    const image = context.createImageData(width, height);
    cells.forEach((value, i) => {
      const strength = value === 0 ? 0 : 1 + (palette.length - 2) * Math.log(value) / most;
      const step = Math.min(palette.length - 2, Math.floor(strength));
      for (let c = 0; c < 3; ++c) {
        image.data[i * 4 + c] = palette[step][c] + (palette[step + 1][c] - palette[step][c]) * (strength - step);
      }
      image.data[i * 4 + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    return canvas.toDataURL();
  }

  charts.heat = (box) => {
    const line0 = timeline();
    const { parts, rows } = line0;
    const tails = parts.flatMap(({ point }) => point.time.p99_us || []);
    const heat = points.flatMap((point) => point.heat || []).filter((row) => row.length > 1);
    const edge = (bucket) => 2 ** (bucket / 4);
    const x = timeAxis(line0);
    if (!heat.length) {
      const F = frame(box, { x, y: latencyAxis(tails) });
      for (const { point, first } of parts) timeLine(F, first, point.time.p99_us || [], 'thin c-p99');
      gaps(F, line0);
      return;
    }
    const low = Math.floor(d3.min(heat, (row) => row[0]) / 2) * 2;
    const merge = d3.max(heat, (row) => row[0] + row.length - 1) - low > 28 ? 2 : 1;
    const high = low + Math.ceil((d3.max(heat, (row) => row[0] + row.length - 1) - low) / merge) * merge;
    const domain = [edge(low), edge(high)];
    const F = frame(box, { x, y: { type: 'log', domain, ticks: logTicks(...domain), format: timeTick } });
    F.layer.append('image').attr('class', 'pixels').attr('preserveAspectRatio', 'none')
      .attr('href', heatImage(parts, rows, low, high, merge))
      .attr('x', F.left).attr('y', F.top).attr('width', F.end - F.left).attr('height', F.floor - F.top);
    gaps(F, line0);
    for (const { point, first } of parts) {
      const values = point.time.p99_us || [];
      timeLine(F, first, values, 'halo');
      timeLine(F, first, values, 'thin c-p99');
    }
  };

  charts.failures = (box) => {
    const line0 = timeline();
    const { parts, rows } = line0;
    const width = widthOf(box);
    const per = Math.max(1, Math.ceil(rows / ((width - 72) / 1.5)));
    const bars = [];
    for (const { point, first, seconds } of parts) {
      for (let i = 0; i < point.time.rows; i += per) {
        const length = Math.min(per, point.time.rows - i);
        const sums = report.classes.map(([name]) =>
          d3.sum((point.time.failures[name] || []).slice(i, i + length)) / length / seconds);
        bars.push({ row: first + i, length, sums });
      }
    }
    const F = frame(box, { x: timeAxis(line0), height: 220,
      y: linearAxis(d3.max(bars, (bar) => d3.sum(bar.sums)), (value) => shortCount(value) + '/s', 4) });
    for (const bar of bars) {
      let below = 0;
      bar.sums.forEach((value, i) => {
        if (!(value > 0)) return;
        F.layer.append('rect').attr('class', `f-${report.classes[i][0]}`).attr('x', F.X(bar.row))
          .attr('width', Math.max(0.8, F.X(bar.row + bar.length) - F.X(bar.row) - 0.2))
          .attr('y', F.Y(below + value)).attr('height', F.Y(below) - F.Y(below + value))
          .attr('data-x', bar.row).attr('data-v', value).attr('data-below', below);
        below += value;
      });
    }
    legend(box, report.classes.map(([name, title]) => [title, boxKey(`f-${name}`)]));
  };

  charts['rate-time'] = (box) => {
    const line0 = timeline();
    const rates = (point) => (point.time.rate || []).map((value) => (isNumber(value) ? value / point.time.row_s : null));
    const highest = d3.max(line0.parts, ({ point }) => d3.max(rates(point).filter(isNumber)));
    const F = frame(box, { x: timeAxis(line0), y: linearAxis(highest || 0, (value) => shortCount(value) + '/s') });
    for (const { point, first } of line0.parts) timeLine(F, first, rates(point), 'c-rate');
    gaps(F, line0);
  };

  charts['latency-time'] = (box) => {
    const line0 = timeline();
    const kinds = ['p50', 'p99', 'p99.9'].filter((kind) =>
      line0.parts.some(({ point }) => (point.time[kind.replace('.', '_') + '_us'] || []).some(isNumber)));
    const values = ({ point }, kind) => point.time[kind.replace('.', '_') + '_us'] || [];
    const all = line0.parts.flatMap((part) => kinds.flatMap((kind) => values(part, kind)));
    if (report.limit) all.push(report.limit.us);
    const F = frame(box, { x: timeAxis(line0), y: latencyAxis(all),
      right: report.limit ? Math.max(18, textWidth(report.limit.value) + 10) : 14 });
    if (report.limit) limitLine(F);
    for (const kind of kinds) {
      for (const part of line0.parts) timeLine(F, part.first, values(part, kind), `thin c-${cssName(kind)}`);
    }
    gaps(F, line0);
    legend(box, [...kinds].reverse().map((kind) => [kind, lineKey(`c-${cssName(kind)}`)]));
  };

  // ---- agents

  charts.agent = (box) => {
    const agent = report.agents[Number(box.dataset.index)];
    const options = { height: 130, left: 52, right: 12 };
    if (agent.time) {
      const all = report.agents.flatMap((other) => (other.time ? other.time.p99_us : []));
      const rows = agent.time.p99_us.length;
      const whole = points[0].time && points[0].time.p99_us ? points[0].time : null;
      const length = rows * agent.time.row_s;
      const x = { type: 'linear', domain: [0, length], ticks: [0, length], format: (v) => v + NO_BREAK + 's' };
      const F = frame(box, { ...options, x, y: latencyAxis([...all, ...(whole ? whole.p99_us : [])]) });
      if (whole) line(F, whole.p99_us.map((v, i) => [(i + 0.5) * whole.row_s, v]).filter(([s]) => s <= length), 'thin c-base');
      line(F, agent.time.p99_us.map((v, i) => [(i + 0.5) * agent.time.row_s, v]), 'thin c-p99');
      return;
    }
    const all = [...report.agents.flatMap((other) => other.p99), ...points.map((point) => point.latency.p99_us)];
    const x = { ...levelAxis(), title: null };
    x.ticks = [x.ticks[0], x.ticks[x.ticks.length >> 1], x.ticks[x.ticks.length - 1]];
    const F = frame(box, { ...options, x, y: latencyAxis(all) });
    const sorted = points.map((point, i) => [point.level, point.latency.p99_us, agent.p99[i]]).sort((a, b) => a[0] - b[0]);
    line(F, sorted.map(([level, whole]) => [level, whole]), 'thin c-base');
    line(F, sorted.map(([level, , own]) => [level, own]), 'c-p99');
  };

  // ---- the generator

  function twoLines(box, { y, first, second, names, column }) {
    const isOverTime = new Set(levels).size < 2;
    const line0 = timeline();
    const F = frame(box, { x: isOverTime ? timeAxis(line0) : levelAxis(), y, height: 220, right: 18 });
    if (isOverTime) {
      for (const { point, first: at } of line0.parts) timeLine(F, at, point.time[column] || [], 'c-p90');
      gaps(F, line0);
      legend(box, [[names[0], lineKey('c-p90')]]);
      return;
    }
    const shown = [[first, 'p90', null, names[0]], [second, 'p99', '5 3', names[1]]]
      .filter(([name]) => points.some((point) => isNumber(point[name])));
    for (const [name, css, dash] of shown) {
      line(F, byLevel.map((point) => [point.level, point[name]]), `c-${css}`, { 'stroke-dasharray': dash });
      for (const point of byLevel) {
        if (isNumber(point[name])) {
          mark(F, { x: point.level, v: point[name], css, shape: SHAPES[css],
            title: `${point.name}: ${column === 'cpu' ? percent(point[name]) : time(point[name])}` });
        }
      }
    }
    legend(box, shown.map(([, css, dash, words]) => [words, lineKey(`c-${css}`, { dash, shape: SHAPES[css] })]));
  }

  charts.cpu = (box) => {
    const values = points.flatMap((point) => [point.cpu, point.wait, ...((point.time || {}).cpu || [])]).filter(isNumber);
    const y = linearAxis(Math.max(100, d3.max(values)), percent, 4);
    if (d3.max(values) <= 100) y.domain = [0, 100];
    twoLines(box, { y, first: 'cpu', second: 'wait', names: ['CPU', 'waited for a core'], column: 'cpu' });
  };

  charts.delay = (box) => {
    const values = points.flatMap((point) => [point.lateness, point.loop_lag, ...((point.time || {}).lateness || [])]);
    twoLines(box, { y: latencyAxis(values), first: 'lateness', second: 'loop_lag', names: ['lateness', 'loop lag'],
      column: 'lateness' });
  };

  const PARTS = ['ours', 'network', 'target'];
  charts.split = (box) => {
    const shown = points.filter((point) => point.split);
    const height = 36 + shown.length * (isPrinting ? 20 : 26);
    const most = d3.max(shown, (point) => d3.sum(point.split));
    const left = Math.max(58, d3.max(shown, (point) => textWidth(point.name)) + 8);
    const x = linearAxis(most, timeTick, 6);
    const F = frame(box, { x: { ...x, format: (us) => (us === 0 ? '0' : timeTick(us)) }, height, left, right: 24,
      y: { type: 'linear', domain: [shown.length, 0], ticks: [], format: String } });
    shown.forEach((point, i) => {
      text(F, left - 6, F.Y(i + 0.5) + 4, '', point.name, 'end');
      let before = 0;
      point.split.forEach((us, k) => {
        if (!(us > 0)) return;
        F.layer.append('rect').attr('class', `f-${PARTS[k]}`).attr('x', F.X(before)).attr('width', F.X(before + us) - F.X(before))
          .attr('y', F.Y(i) + 3).attr('height', Math.max(1, F.Y(i + 1) - F.Y(i) - 6))
          .attr('data-v', us).append('title').text(`${point.name}: ${PARTS[k]} ${time(us)}`);
        before += us;
      });
    });
    legend(box, PARTS.map((part) => [part, boxKey(`f-${part}`)]));
  };

  // ---- two sides of a comparison

  const SIDES = [{ css: 'base', dash: '5 3', words: 'before' }, { css: null, dash: null, words: 'after' }];

  // A line through the medians of each side's runs, and a mark for each run: `figures` are [name, css, shape].
  function twoSides(box, y, figures, words) {
    const F = frame(box, { x: levelAxis(), y, right: 18 });
    const entries = [];
    for (const [name, own, shape, label] of figures) {
      SIDES.forEach((side, i) => {
        const css = side.css || own;
        const runs = byLevel.map((point) => [point, point.sides[i].filter((run) => isNumber(run[name]))]);
        line(F, runs.map(([point, of]) => [point.level, d3.median(of, (run) => run[name])]), `c-${css}`,
          { 'stroke-dasharray': side.dash });
        for (const [point, of] of runs) {
          for (const run of of) {
            mark(F, { x: point.level, v: run[name], css, shape, isHollow: !run.valid,
              title: `${side.words}, ${point.name}: ${words(run[name], label)}` });
          }
        }
        entries.push([`${label} ${side.words}`.trim(), lineKey(`c-${css}`, { dash: side.dash, shape })]);
      });
    }
    legend(box, entries);
  }

  const ofRuns = (name) => points.flatMap((point) => point.sides.flatMap((runs) => runs.map((run) => run[name])));

  charts['compared-rate'] = (box) =>
    twoSides(box, linearAxis(d3.max(ofRuns('rate')), (value) => shortCount(value) + '/s'),
      [['rate', 'rate', d3.symbolCircle, '']], (value) => `${rate(value)}/s`);

  charts['compared-latency'] = (box) =>
    twoSides(box, latencyAxis([...ofRuns('p50_us'), ...ofRuns('p99_us')]),
      [['p99_us', 'p99', SHAPES.p99, 'p99'], ['p50_us', 'p50', SHAPES.p50, 'p50']], (value, label) => `${label} ${time(value)}`);

  // Of one level: each run over time.
  function twoSidesOverTime(box, y, css, values) {
    const length = d3.max(report.runs, (run) => values(run).length * run.row_s) || 1;
    const x = { type: 'linear', domain: [0, length], ticks: d3.ticks(0, length, 8), format: d3.format(','), title: 'seconds' };
    const F = frame(box, { x, y });
    for (const run of report.runs) {
      const side = SIDES[run.side];
      const rows = extremes(values(run), F.end - F.left);
      const isThinned = rows.length < values(run).length;
      line(F, rows.flatMap(([row, low, high]) => (isThinned ? [[row * run.row_s, low], [row * run.row_s, high]] : [[row * run.row_s, high]])),
        `thin c-${side.css || css}`, { 'stroke-dasharray': side.dash });
    }
    legend(box, SIDES.map((side) => [side.words, lineKey(`c-${side.css || css}`, { dash: side.dash })]));
  }

  charts['compared-rate-time'] = (box) => {
    const values = (run) => (run.rate || []).map((value) => (isNumber(value) ? value / run.row_s : null));
    twoSidesOverTime(box, linearAxis(d3.max(report.runs.flatMap(values).filter(isNumber)) || 0, (value) => shortCount(value) + '/s'),
      'rate', values);
  };

  charts['compared-latency-time'] = (box) => {
    const values = (run) => run.p99_us || [];
    twoSidesOverTime(box, latencyAxis(report.runs.flatMap(values)), 'p99', values);
  };

  // ---- drawing

  function draw() {
    for (const box of document.querySelectorAll('[data-chart]')) charts[box.dataset.chart](box);
  }

  let width = window.innerWidth;
  window.addEventListener('resize', () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    draw();
  });
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  window.addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('details:not([open])')) {
      details.open = true;
      details.dataset.opened = '';
    }
    isPrinting = true;
    draw();
  });
  window.addEventListener('afterprint', () => {
    for (const details of document.querySelectorAll('details[data-opened]')) {
      details.open = false;
      delete details.dataset.opened;
    }
    isPrinting = false;
    draw();
  });

  // The start in the reader's own time too.
  const start = document.querySelector('header time');
  const when = start && new Date(start.dateTime);
  if (when && !Number.isNaN(when.getTime())) {
    const offset = -when.getTimezoneOffset();
    if (offset !== 0) start.append(` (${when.toLocaleString('sv')} here, ${d3.timeFormat('UTC%Z')(when)})`);
  }
  draw();
})();
