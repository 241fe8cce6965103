import pg from 'pg';
import { TaskClaim } from '../../../lib/engine/claims/task-claim.js';

/** Where a process kills itself: around a statement of the library's, or in a handler. */
export interface Failpoint {
  /** `sent`: the server has it, and nobody reads its answer. */
  readonly at: 'before' | 'sent' | 'after' | 'begin' | 'end';
  /** Part of the statement's text. */
  readonly statement?: string;
  /** How often it passes the point before. Default: 0. */
  readonly skip?: number;
}

/** What only one statement of the library, or all its variants, have in their text. */
export const STATEMENTS = {
  start: "'NotStarted' WHEN r.root",
  startAdmitted: 'place AS MATERIALIZED',
  admit: 'superseded AS MATERIALIZED',
  debounce: 'SET input = i.input::json, tags',
  batch: 'x.batch_count + n.taken AS filled',
  claim: 'WITH RECURSIVE level',
  complete: 'ended_batch AS (',
  reschedule: "WHEN l.kind = 'retry' THEN t.attempt + 1",
  recordSteps: 'due_ms, due_on, has_result',
  readSteps: 'AS asked(execution_id',
  sendSignals: 'sleeper AS MATERIALIZED',
  takeMessages: 'SELECT DISTINCT ON (id) * FROM open',
  deliverMessages: 'to_start AS (',
  takeEventStarts: 'AS k(workflow, event_name)',
  settleEventStarts: 'i(signal_id, workflow, error, retry_ms)',
  send: 'workflow, workflow_key, name, event_key',
  deliver: 'listener AS MATERIALIZED',
  startChildren: 'p.depth + 1 AS depth',
  attachChildren: 'SELECT child_id AS id,',
  tellParents: "coalesce((s.result ->> 'retryFrom')",
  endChildren: 'child AS MATERIALIZED',
  childrenEnded: 'LIMIT 1) IS NULL)',
  fireSchedules: 'f.schedule IN (SELECT name FROM held)',
  endLease: 'l.lock_epoch IS NOT DISTINCT',
  takeOrphans: 'orphan AS MATERIALIZED',
  commit: 'COMMIT',
} as const;

/** Of the statements that start children: the one for a child with an idempotency key, which limits its wait for a lock. */
export const START_KEYED_CHILD = "set_config('lock_timeout', $35";

/** Of the statements that send messages: the one in a caller's transaction, whose events have no time yet. */
export const SEND_IN_TRANSACTION = "idempotency_key,\n           'infinity'";

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

/** START TRANSACTION has a part of this text too: it sets READ COMMITTED. */
function fits(text: string, statement: string): boolean {
  return statement === STATEMENTS.commit ? text === statement : text.includes(statement);
}

/**
 * From now on the process dies at the first statement that fits.
 *
 * @param isArmed - for a process that dies later: a connection that it has then would not notice that queries are patched
 */
export function armFailpoint(
  { at, statement = '', skip = 0 }: Failpoint,
  isArmed: () => boolean = () => true,
): void {
  let passed = 0;
  patch(
    (send) =>
      function query(...args) {
        if (!isArmed() || !fits(textOf(args[0]), statement) || passed++ < skip)
          return Reflect.apply(send, this, args);
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

/** From now on the process sends each statement as `change` returns it. */
export function changeTexts(change: (text: string) => string): void {
  patch(
    (send) =>
      function query(...args) {
        const [sent] = args;
        const text = textOf(sent);
        const changed = change(text);
        if (typeof sent === 'object' && sent !== null && changed !== text) {
          args[0] = { ...sent, text: changed };
        }
        return Reflect.apply(send, this, args);
      },
  );
}

/** The control run: a process doesn't heed that a claim is lost, and what it sends is taken whatever token it has. */
export function takeFenceOut(): void {
  Object.defineProperty(TaskClaim.prototype, 'lost', {
    get: () => false,
    set() {},
  });
  changeTexts((text) => text.replaceAll(/t\.claim_token = ([a-z])\.claim_token/g, 'true'));
}
