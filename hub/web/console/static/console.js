// The console's own script: charts drawn from the tables beside them, and proofs computed again in front of the reader.
(() => {
  'use strict';
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const cells = (table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
  const heads = (table) => [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());

  const kinds = {
    bar(table) {
      const rows = cells(table).filter((row) => row.length > 1);
      const names = heads(table).slice(1);
      return {
        legend: {},
        xAxis: { type: 'category', data: rows.map((row) => row[0]) },
        yAxis: { type: 'value', minInterval: 1 },
        series: names.map((name, at) => ({ type: 'bar', name, data: rows.map((row) => Number(row[at + 1])) })),
      };
    },
    heat(table) {
      const rows = cells(table).filter((row) => row.length > 2);
      const data = rows.flatMap((row, y) => row.slice(1).map((value, x) => [x, y, Number(value)]));
      return grid(heads(table).slice(1), rows.map((row) => row[0]), data, Math.max(1, ...data.map((one) => one[2])));
    },
    levels(table) {
      const rows = [...table.tBodies[0].rows];
      const data = rows.flatMap((row, y) => [...row.cells].slice(1).map((cell, x) => [x, y, Number(cell.dataset.level)]));
      return grid(heads(table).slice(1), rows.map((row) => row.cells[0].textContent), data, 3);
    },
    graph(table) {
      const rows = cells(table).filter((row) => row.length > 2);
      const officers = [...new Set(rows.map((row) => row[0]))];
      const persons = [...new Set(rows.map((row) => row[1]))];
      const node = (category) => (name) => ({ id: `${category}${name}`, name: name.slice(0, 12), category, symbolSize: category ? 10 : 24, symbol: category ? 'circle' : 'rect', label: { show: !category } });
      const [officer, person] = [heads(table)[0], heads(table)[1]];
      return {
        legend: {},
        series: [{
          type: 'graph', layout: 'circular', roam: false, categories: [{ name: officer }, { name: person }],
          data: [...officers.map(node(0)), ...persons.map(node(1))],
          links: rows.map((row) => ({ source: `0${row[0]}`, target: `1${row[1]}`, lineStyle: { width: Math.min(8, Number(row[2])) } })),
        }],
      };
    },
  };

  function grid(across, down, data, max) {
    return {
      grid: { left: 150, right: 20, top: 20, bottom: 70 },
      xAxis: { type: 'category', data: across },
      yAxis: { type: 'category', data: down, inverse: true },
      visualMap: { min: 0, max, calculable: false, orient: 'horizontal', left: 'center', bottom: 0, inRange: { color: dark.matches ? ['#20262d', '#8cc0ff'] : ['#f1f4f7', '#0b57a4'] } },
      series: [{ type: 'heatmap', data }],
    };
  }

  function draw() {
    if (!window.echarts) return;
    for (const place of document.querySelectorAll('[data-chart]')) {
      const table = document.getElementById(place.dataset.table);
      if (!table) continue;
      echarts.getInstanceByDom(place)?.dispose();
      const chart = echarts.init(place, dark.matches ? 'dark' : null, { renderer: 'svg' });
      chart.setOption({ animation: false, backgroundColor: 'transparent', ...kinds[place.dataset.chart](table) });
      place.dataset.drawn = '1';
    }
  }

  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const plain = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const sha = async (...parts) => hex(await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer()));

  async function verify(section) {
    const said = section.dataset;
    const tell = (row, holds) => {
      const cell = row.querySelector('.verdict');
      cell.textContent = holds === null ? said.unsupported : holds ? said.good : said.bad;
      cell.className = holds === null ? 'verdict' : holds ? 'verdict holds' : 'verdict fails';
    };
    if (!window.crypto?.subtle) {
      section.querySelectorAll('tr[data-step]').forEach((row) => tell(row, null));
      return;
    }
    let node = said.leaf;
    for (const row of section.querySelectorAll('tr[data-step]')) {
      const step = row.dataset;
      if (step.step === 'leaf') {
        if (said.header) node = await sha(Uint8Array.of(0), plain(said.header), plain(said.body));
        tell(row, said.header ? node === said.leaf : null);
      } else if (step.step === 'node') {
        const pair = step.left === '1' ? [bytes(step.sibling), bytes(node)] : [bytes(node), bytes(step.sibling)];
        node = await sha(Uint8Array.of(1), ...pair);
        tell(row, node === step.result);
      } else if (step.step === 'root') {
        tell(row, node === said.root);
      } else {
        tell(row, await signed(said));
      }
    }
    section.dataset.verified = '1';
  }

  async function signed(said) {
    try {
      const key = await crypto.subtle.importKey('raw', plain(said.key), { name: 'Ed25519' }, false, ['verify']);
      return await crypto.subtle.verify('Ed25519', key, plain(said.signature), plain(said.text));
    } catch {
      return null;
    }
  }

  function start() {
    draw();
    const proof = document.getElementById('proof');
    if (proof) verify(proof);
  }
  document.addEventListener('DOMContentLoaded', start);
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement?.tagName ?? '')) {
      const first = document.querySelector('main input:not([type=hidden])');
      if (first) { event.preventDefault(); first.focus(); }
    }
  });
  dark.addEventListener('change', draw);
})();
