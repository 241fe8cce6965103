import { useState } from 'preact/hooks';
import type { HistoryResponse } from '../../../lib/dashboard/http-types.js';
import { cutText, formatDuration, formatMoment } from '../core/format.js';
import { ExecutionLink } from '../ui/parts.js';

type Entry = HistoryResponse['entries'][number];

const FIRST = 30;

/** What happened, the latest first. */
export function HistoryList({ entries, tenant }: { entries: readonly Entry[]; tenant: string }) {
  const [isWhole, setWhole] = useState(false);
  const latest = entries.toReversed();
  const shown = isWhole ? latest : latest.slice(0, FIRST);
  return (
    <>
      <ol class="history">
        {shown.map((entry, no) => (
          <li key={latest.length - no} class={toneOf(entry)}>
            <time dateTime={entry.at}>{formatMoment(entry.at)}</time>
            <span>
              {'task' in entry ? (
                <b>
                  <bdi>{cutText(entry.task, 60)}</bdi>{' '}
                </b>
              ) : null}
              <bdi>{cutText(wordsOf(entry), 300)}</bdi>
              {entry.type === 'task.child' ? (
                <>
                  {' '}
                  <ExecutionLink tenant={tenant} id={entry.child} />
                </>
              ) : null}
              <Actor entry={entry} />
            </span>
          </li>
        ))}
      </ol>
      {latest.length > shown.length ? (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {latest.length} entries
        </button>
      ) : null}
    </>
  );
}

/** Who did it, if the server knows. */
function Actor({ entry }: { entry: Entry }) {
  const { actor } = entry as { actor?: unknown };
  return typeof actor === 'string' ? <span class="dim"> by {cutText(actor, 80)}</span> : null;
}

function wordsOf(entry: Entry): string {
  switch (entry.type) {
    case 'execution.created':
      return 'Created';
    case 'execution.started':
      return 'Started';
    case 'execution.paused':
      return `Paused${because(entry.reason)}`;
    case 'execution.resumed':
      return 'Resumed';
    case 'execution.retried':
      return `Retried: ${entry.tasks.join(', ')}`;
    case 'execution.legalHold':
      return `Put on legal hold${because(entry.reason)}`;
    case 'execution.legalHoldReleased':
      return `Released from legal hold${because(entry.reason)}`;
    case 'execution.ended':
      return `${entry.status}${because(entry.reason ?? entry.error?.message)}`;
    case 'task.attempt':
      return `attempt ${entry.attempt} ${entry.status.toLowerCase()}${
        entry.durationMs === undefined ? '' : ` in ${formatDuration(entry.durationMs)}`
      }${because(entry.error?.message)}`;
    case 'task.deferred':
      return 'deferred: its condition was false';
    case 'task.step':
      return `step ${entry.step} in ${formatDuration(entry.durationMs)}`;
    case 'task.wait':
      return `${entry.kind} ${entry.wait}: ${{ Open: 'waits', Done: 'over', Failed: 'failed', TimedOut: 'timed out' }[entry.status]}`;
    case 'task.recovered':
      return `recovered from a lost process (${entry.cause}) after ${formatDuration(entry.orphanedForMs)}`;
    case 'task.abandoned':
      return `abandoned: it was lost too often (${entry.cause})`;
    case 'task.skipped':
      return `skipped${because(entry.skipReason)}`;
    case 'task.child':
      return `child of step ${entry.step}${entry.status === undefined ? '' : `: ${entry.status.toLowerCase()}`}`;
    case 'task.conflict':
      return `${entry.tasks.join(' and ')} wrote ${entry.key}; the value of ${entry.winner} counts`;
    default:
      return (entry as { type: string }).type;
  }
}

function because(reason: string | undefined): string {
  return reason === undefined ? '' : `: ${reason}`;
}

function toneOf(entry: Entry): string | undefined {
  if (entry.type === 'task.recovered' || entry.type === 'task.abandoned') return 'recovered';
  return 'status' in entry ? `t-${entry.status}` : undefined;
}
