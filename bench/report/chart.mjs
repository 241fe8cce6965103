import { OURS } from '../measure/contenders.mjs';
import { format } from '../measure/rounds.mjs';
import { element, escapeText, text } from './svg.mjs';

const WIDTH = 760;
const LABEL = 150;
const VALUE = 120;
const BAR = 18;
const ROW = 26;
const PANEL_HEAD = 34;
const PANEL_GAP = 18;
const HEAD = 58;
const FOOT = 40;

/**
 * One panel a scenario, one bar a contender, each in the best of its configurations. As an image in a README it can't
 * know whether the page is light or dark, so it brings a background of its own.
 */
export function chartOf({ title, panels, footer }) {
  const height =
    HEAD +
    FOOT +
    panels.reduce((sum, { bars }) => sum + PANEL_HEAD + bars.length * ROW + PANEL_GAP, 0);
  let y = HEAD;
  const body = panels.map((panel) => {
    const drawn = panelAt(panel, y);
    y += PANEL_HEAD + panel.bars.length * ROW + PANEL_GAP;
    return drawn;
  });
  const content = [
    element('rect', { width: WIDTH, height, rx: 8, fill: '#ffffff', stroke: '#d8dee4' }),
    text(24, 36, title, { 'font-size': 18, 'font-weight': 600, fill: '#1f2328' }),
    ...body,
    text(24, height - 18, footer, { 'font-size': 11, fill: '#59636e' }),
  ];
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      role: 'img',
      'aria-label': title,
      'font-family': 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif',
    },
    `${element('title', {}, escapeText(title))}${content.join('\n')}`,
  )}\n`;
}

function panelAt({ heading, unit, bars }, top) {
  const most = Math.max(...bars.map(({ value }) => value));
  const room = WIDTH - LABEL - VALUE - 48;
  const rows = bars.map(({ label, value, note, ours }, no) => {
    const y = top + PANEL_HEAD + no * ROW;
    const width = Math.max(2, Math.round((value / most) * room));
    return [
      text(LABEL + 12, y + 14, label, {
        'text-anchor': 'end',
        'font-size': 13,
        'font-weight': ours ? 600 : 400,
        fill: '#1f2328',
      }),
      element('rect', {
        x: LABEL + 24,
        y,
        width,
        height: BAR,
        rx: 3,
        fill: ours ? '#0969da' : '#afb8c1',
      }),
      text(LABEL + 32 + width, y + 14, `${format(value)}${note === '' ? '' : `  ${note}`}`, {
        'font-size': 12,
        'font-weight': ours ? 600 : 400,
        fill: ours ? '#0969da' : '#59636e',
      }),
    ].join('');
  });
  const title = text(24, top + 18, heading, {
    'font-size': 13,
    'font-weight': 600,
    fill: '#1f2328',
  });
  const scale = text(WIDTH - 24, top + 18, unit, {
    'text-anchor': 'end',
    'font-size': 11,
    fill: '#59636e',
  });
  return [title, scale, ...rows].join('\n');
}

/** Each contender's best configuration, this library first, the others by what they reached. */
export function panelOf(result) {
  const best = new Map();
  for (const { contender, [result.main]: value } of result.rows) {
    const known = best.get(contender);
    const better = result.higherIsBetter ? value > known : value < known;
    if (known === undefined || better) best.set(contender, value);
  }
  const ours = best.get(OURS);
  const sign = result.higherIsBetter ? 1 : -1;
  const others = [...best].filter(([name]) => name !== OURS).sort((a, b) => sign * (b[1] - a[1]));
  return {
    heading: result.title,
    unit: result.higherIsBetter
      ? `${result.unit}, more is better`
      : `${result.unit}, less is better`,
    bars: [
      { label: OURS, value: ours, note: '', ours: true },
      ...others.map(([label, value]) => ({
        label,
        value,
        note: ratioNote(value / ours),
        ours: false,
      })),
    ],
  };
}

function ratioNote(ratio) {
  return `(${ratio >= 10 ? Math.round(ratio) : ratio.toPrecision(2)} times)`;
}
