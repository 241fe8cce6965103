import pg from 'pg';
import { TaskClaim } from '../../../lib/engine/claims/task-claim.js';

/** Where a process kills itself: around a statement of the library's, or in a handler. */
export interface Failpoint {
  /** `sent`: the server has it, and nobody reads its answer. */
  readonly at: 'before' | 'sent' | 'after' | 'begin' | 'end';
  /** Part of the statement's text. */
  readonly statement?: string;
}

/** What only one statement of the library, or all its variants, have in their text. */
export const STATEMENTS = {
  start: "'NotStarted' WHEN r.root",
  claim: 'WITH RECURSIVE level',
  complete: 'ended_batch AS (',
  reschedule: "WHEN l.kind = 'retry' THEN t.attempt + 1",
  recordSteps: 'due_ms, due_on, has_result',
  takeMessages: 'SELECT DISTINCT ON (id) * FROM open',
  deliverMessages: 'to_start AS (',
  takeEventStarts: 'AS k(workflow, event_name)',
  settleEventStarts: 'i(signal_id, workflow, error, retry_ms)',
  endLease: 'l.lock_epoch IS NOT DISTINCT',
  takeOrphans: 'orphan AS MATERIALIZED',
  commit: 'COMMIT',
} as const;

/** The names of the statements that record outcomes. */
export const COMPLETE_NAMES = [
  'complete_tasks',
  'complete_plain_tasks',
  'complete_timed_tasks',
  'complete_plain_timed_tasks',
] as const;

type Query = (this: pg.Client, ...args: unknown[]) => unknown;

function patch(wrap: (send: Query) => Query): void {
  const send: unknown = Reflect.get(pg.Client.prototype, 'query');
  if (typeof send !== 'function') throw new TypeError('pg has changed.');
  Reflect.set(pg.Client.prototype, 'query', wrap(send as Query));
}

export function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  if (typeof query !== 'object' || query === null) return '';
  return String(Reflect.get(query, 'text') ?? '');
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** From now on the process dies at the first statement that fits. */
export function armFailpoint({ at, statement = '' }: Failpoint): void {
  patch(
    (send) =>
      function query(...args) {
        if (!textOf(args[0]).includes(statement)) return Reflect.apply(send, this, args);
        if (at === 'before') die();
        const callback = args.at(-1);
        if (at === 'after' && typeof callback === 'function') {
          return Reflect.apply(send, this, [...args.slice(0, -1), die]);
        }
        const result: unknown = Reflect.apply(send, this, args);
        if (at === 'sent') die();
        if (result instanceof Promise) return result.then(die);
        return result;
      },
  );
}

/** The control run: a process doesn't heed that a claim is lost, and outcomes are taken whatever token they have. */
export function takeFenceOut(): void {
  Object.defineProperty(TaskClaim.prototype, 'lost', {
    get: () => false,
    set() {},
  });
  patch(
    (send) =>
      function query(...args) {
        const [sent] = args;
        const text = textOf(sent);
        if (
          typeof sent === 'object' &&
          sent !== null &&
          text.includes('claim_token = i.claim_token')
        ) {
          const open = text.replaceAll(/t\.claim_token = i\.claim_token/g, 'true');
          args[0] = { ...sent, text: open };
        }
        return Reflect.apply(send, this, args);
      },
  );
}
