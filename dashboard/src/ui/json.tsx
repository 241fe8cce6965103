import { useMemo, useState } from 'preact/hooks';
import type { ValueResponse, ValueView } from '../../../lib/dashboard/http-types.js';
import { get } from '../core/api.js';
import { formatBytes } from '../core/format.js';
import { Trouble } from './parts.js';

const FIRST_LINES = 40;
/** How many lines a click adds: a browser lays out this many at once without a pause. */
const MORE_LINES = 2_000;
const MAX_LINE = 2_000;

/** A value that a handler wrote; `path` is where the whole of a cut one is read. */
export function Value({ view, path }: { view: ValueView; path?: string }) {
  const [whole, setWhole] = useState<{ value: unknown } | undefined>();
  const [error, setError] = useState<Error | undefined>();
  if (view.kind === 'redacted') return <span class="dim">Redacted</span>;
  if (view.kind === 'json') return <Json value={view.value} />;
  if (whole !== undefined) return <Json value={whole.value} />;
  const read = (): void => {
    if (path === undefined) return;
    get<ValueResponse>(path).then(setWhole, setError);
  };
  return (
    <div>
      <pre tabindex={0}>{view.preview}…</pre>
      {error === undefined ? null : <Trouble error={error} />}
      {path === undefined ? (
        <p class="dim">Cut; the value has {formatBytes(view.bytes)}.</p>
      ) : (
        <button type="button" onClick={read}>
          Show all {formatBytes(view.bytes)}
        </button>
      )}
    </div>
  );
}

/** JSON as text, some lines at a time. */
function Json({ value }: { value: unknown }) {
  const lines = useMemo(() => (JSON.stringify(value, null, 2) ?? 'null').split('\n'), [value]);
  const [count, setCount] = useState(FIRST_LINES);
  const [isWide, setWide] = useState(false);
  const shown = lines.slice(0, count);
  const isCut = !isWide && shown.some((line) => line.length > MAX_LINE);
  return (
    <div>
      <pre tabindex={0}>
        {shown
          .map((line) => (isCut && line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line))
          .join('\n')}
      </pre>
      {isCut ? (
        <button type="button" onClick={() => setWide(true)}>
          Show whole lines
        </button>
      ) : null}
      {lines.length > count ? (
        <button type="button" onClick={() => setCount(count + MORE_LINES)}>
          Show {Math.min(MORE_LINES, lines.length - count).toLocaleString('en')} more of{' '}
          {lines.length.toLocaleString('en')} lines
        </button>
      ) : null}
    </div>
  );
}
