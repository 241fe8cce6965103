import type { CappedCount } from '../../../lib/dashboard/http-types.js';

const integer = new Intl.NumberFormat('en');
const moment = new Intl.DateTimeFormat('en', {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

export function formatNumber(count: number): string {
  return integer.format(count);
}

/** `10,000+` for a count that stopped at its cap. */
export function formatCount(count: CappedCount | undefined): string {
  return count === undefined ? '–' : integer.format(count.count) + (count.isCapped ? '+' : '');
}

/** A duration with two units at most: `850 ms`, `12.4 s`, `3 min 5 s`, `2 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1_000;
  if (seconds < 59.95) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const units: [string, number][] = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ];
  const whole = Math.round(seconds);
  const first = units.findIndex(([, size]) => whole >= size);
  const [unit, size] = units[first]!;
  const next = units[first + 1];
  const rest = next === undefined ? 0 : Math.floor((whole % size) / next[1]);
  return `${Math.floor(whole / size)} ${unit}${rest === 0 || next === undefined ? '' : ` ${rest} ${next[0]}`}`;
}

/** `12 s ago`, `in 3 min`. */
export function formatRelative(at: number, now: number): string {
  const distance = now - at;
  if (Math.abs(distance) < 1_000) return 'now';
  const size = Math.abs(distance);
  // One unit is enough for what lies far away.
  const words = formatDuration(size < 60_000 ? Math.floor(size / 1_000) * 1_000 : size);
  const short = words.split(' ').slice(0, 2).join(' ').replace('.0', '');
  return distance > 0 ? `${short} ago` : `in ${short}`;
}

export function formatMoment(at: string | number): string {
  return moment.format(new Date(at));
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000
    ? `${(bytes / 1_000).toFixed(1)} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A text of any direction, for places without markup: what follows it stays in its place. */
export function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

/** The beginning of a text that may have any length. */
export function cutText(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

/** The random end of a UUID (version 7), whose beginning is a time. */
export function shortId(id: string): string {
  return id.length > 12 ? `…${id.slice(-8)}` : id;
}
