import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ExecutionStatus, TaskStatus } from '../../../lib/workflow/index.js';
import { cutText, formatDuration, formatMoment, formatRelative, shortId } from '../core/format.js';
import { now } from '../core/live.js';
import type { Resource } from '../core/resource.js';
import { linkTo } from '../core/router.js';

/** A mark of its own for each status, so that none is told by its color alone. */
export const MARKS: Readonly<Record<ExecutionStatus | TaskStatus, string>> = {
  Pending: '○',
  NotStarted: '○',
  Ready: '◔',
  Running: '▶',
  Waiting: '◷',
  Paused: '‖',
  Finishing: '◕',
  Completed: '✓',
  Failed: '✕',
  Skipped: '↷',
  Cancelled: '⊘',
};

export function Status({ of }: { of: ExecutionStatus | TaskStatus }) {
  return (
    <span class={`status s-${of}`}>
      <span aria-hidden="true">{MARKS[of]}</span> {of}
    </span>
  );
}

/** A time as people say it, with the exact one as its title. */
export function Ago({ at }: { at: string | undefined }) {
  if (at === undefined) return <span class="dim">–</span>;
  return (
    <time dateTime={at} title={`${formatMoment(at)} · ${at}`}>
      {formatRelative(Date.parse(at), now.value)}
    </time>
  );
}

/** From a time to another, or until now. */
export function Lasted({ from, to }: { from: string | undefined; to: string | undefined }) {
  if (from === undefined) return <span class="dim">–</span>;
  const end = to === undefined ? Math.max(now.value, Date.parse(from)) : Date.parse(to);
  return <span>{formatDuration(end - Date.parse(from))}</span>;
}

/** A text that handlers or callers wrote: of any length, in any direction, never markup. */
export function Words({ text, max = 160 }: { text: string; max?: number }) {
  const [isWhole, setWhole] = useState(false);
  if (text.length <= max) return <bdi>{text}</bdi>;
  return (
    <>
      <bdi class="breaks">{isWhole ? text : cutText(text, max)}</bdi>{' '}
      <button type="button" class="link" onClick={() => setWhole(!isWhole)}>
        {isWhole ? 'Show less' : `Show all ${text.length.toLocaleString('en')} characters`}
      </button>
    </>
  );
}

/** The name of something in a table: cut, and whole in its title. */
export function Name({ text, max = 48 }: { text: string; max?: number }) {
  return <bdi title={cutText(text, 500)}>{cutText(text, max)}</bdi>;
}

export function ExecutionLink({
  tenant,
  id,
  whole,
}: {
  tenant: string;
  id: string;
  whole?: boolean;
}) {
  return (
    <a class="mono" href={linkTo(['t', tenant, 'executions', id])} title={id}>
      {whole === true ? id : shortId(id)}
    </a>
  );
}

/** Shows a resource: its loading, its error, that it is empty, or what it is. */
export function Loaded<T>({
  from,
  empty,
  isEmpty,
  children,
}: {
  from: Resource<T>;
  empty?: ComponentChildren;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ComponentChildren;
}) {
  const { data, error, isStale, reload } = from;
  if (data === undefined && error === undefined) {
    return (
      <div class="skeleton" role="status" aria-label="Loading">
        <i />
        <i />
        <i />
      </div>
    );
  }
  return (
    <>
      {error === undefined ? null : <Trouble error={error} onRetry={reload} />}
      {data === undefined ? null : isEmpty?.(data) === true ? (
        <div class="empty">{empty}</div>
      ) : (
        <div class={isStale ? 'stale' : undefined}>{children(data)}</div>
      )}
    </>
  );
}

export function Trouble({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  return (
    <div class="trouble" role="alert">
      <span aria-hidden="true">✕</span>
      <p>{error.message}</p>
      {onRetry === undefined ? null : (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** A section with a heading and, at its right, what one does in it. */
export function Card({
  title,
  side,
  children,
  place,
}: {
  title: ComponentChildren;
  side?: ComponentChildren;
  children: ComponentChildren;
  /** Where it stands among others on a small screen. */
  place?: 1 | 2 | 3 | 4 | 5;
}) {
  return (
    <section class={place === undefined ? 'card' : `card place-${place}`}>
      <header>
        <h2>{title}</h2>
        {side}
      </header>
      {children}
    </section>
  );
}

/** A table that scrolls in itself where it is too wide. */
export function Table({
  label,
  columns,
  children,
  isStacked = false,
  isOfPairs = false,
}: {
  label: string;
  columns: readonly string[];
  children: ComponentChildren;
  /** On a small screen, each row is a block with all its cells. */
  isStacked?: boolean;
  /** The same with two cells a line, and the fourth one on a line of its own. Cells of the class `none` are left out. */
  isOfPairs?: boolean;
}) {
  return (
    <div class="table" tabindex={0} role="region" aria-label={label}>
      <table class={isOfPairs ? 'stacked pairs' : isStacked ? 'stacked' : undefined}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

const INSTANT = /((?:since )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** A sentence of the server: the instants in it are written as people say them, `for 5 min` and `until Dec 2, 20:12:38`. */
export function Sentence({ text, max = 400 }: { text: string; max?: number }) {
  return (
    <bdi class="breaks">
      {cutText(text, max)
        .split(INSTANT)
        .map((part, no) => (no % 2 === 1 ? <Instant key={no} text={part} /> : part))}
    </bdi>
  );
}

function Instant({ text }: { text: string }) {
  const at = text.replace('since ', '');
  return (
    <time dateTime={at} title={`${formatMoment(at)} · ${at}`}>
      {at === text
        ? formatMoment(at)
        : `for ${formatDuration(Math.max(0, Math.floor((now.value - Date.parse(at)) / 1_000) * 1_000)).replace('.0', '')}`}
    </time>
  );
}
