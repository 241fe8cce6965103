import type pg from 'pg';
import { queryWithTimeout } from './destroy-socket.js';
import { forgetAllPrepared, hasForeignPrepared } from './prepared-statements.js';

/** What is known of the session behind a client that user code has had since the session was clean. */
interface SessionState {
  /** Whose user code that was: the schema of the tenant. */
  readonly tenant: string;
  /** Its `search_path`, as it was set. */
  readonly path: string;
  /** Something was said that outlives its transaction: it is undone when the connection is given back. */
  left: boolean;
  /** Statements may be prepared that are not the library's. */
  prepared: boolean;
}

/** None: the session is as it began. */
const states = new WeakMap<pg.ClientBase, SessionState>();

/** SQL that leaves something in the session, as its statements begin. */
const LEAVING =
  /(?:^|;)\s*(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\b|listen\b|load\b|declare\b|do\b|call\b|prepare\b|deallocate\b|discard\b)/i;
/** The same, wherever it stands. */
const LEAVING_WITHIN = /\b(?:set_config|pg_\w*advisory\w*|temp|temporary|pg_temp)\b/i;
/** What may have prepared a statement. */
const PREPARING = /\b(?:prepare|execute)\b|(?:^|;)\s*(?:do|call)\b/i;

/**
 * All that `DISCARD ALL` resets, in a text that one message carries together with what follows; `DISCARD ALL` stands
 * alone. Three things are different. The role goes back to the login's own, which `ALTER ROLE … SET role` may have
 * given it. Plans are kept: they carry nothing of a tenant. And prepared statements are dropped only where user code has made some:
 * the library's own cost a millisecond each to plan anew.
 */
const CLEAN = [
  'CLOSE ALL',
  'SET SESSION AUTHORIZATION DEFAULT',
  'RESET ROLE',
  'RESET ALL',
  'UNLISTEN *',
  'SELECT pg_catalog.pg_advisory_unlock_all()',
  'DISCARD TEMP',
  'DISCARD SEQUENCES',
].join('; ');

/** Notes what user code sends. */
export function noteText(client: pg.ClientBase, text: string): void {
  const state = states.get(client);
  if (state === undefined || (state.left && state.prepared)) return;
  if (PREPARING.test(text)) state.prepared = true;
  if (LEAVING.test(text) || LEAVING_WITHIN.test(text)) state.left = true;
}

/** Whether the session is as the library's own statements, and other tenants, may have it. */
export function isClean(client: pg.ClientBase): boolean {
  return !states.has(client);
}

/** Whether user code has left something that it should not find itself. */
export function hasLeftovers(client: pg.ClientBase): boolean {
  return states.get(client)?.left === true;
}

type Finish = (error: Error | undefined) => void;

/**
 * Prepares the session for a tenant's user code: as it began, but for the `search_path`. At once where the same tenant
 * had it last; otherwise by one message. A connection for which that fails must be closed.
 *
 * @param path - the value of `search_path`, quoted
 */
export function prepareFor(
  client: pg.ClientBase,
  tenant: string,
  path: string,
  finish: Finish,
): void {
  const state = states.get(client);
  if (state?.tenant === tenant && state.path === path && !state.left) {
    finish(undefined);
    return;
  }
  const setPath = `SET search_path TO ${path}`;
  const isSet = (error: Error | undefined): void => {
    if (error === undefined) states.set(client, { tenant, path, left: false, prepared: false });
    finish(error);
  };
  if (state === undefined) queryWithTimeout(client, setPath, isSet);
  else reset(client, state, [setPath], isSet);
}

/** Makes the session as it began. A connection for which that fails must be closed. */
export function clean(client: pg.ClientBase, finish: Finish): void {
  const state = states.get(client);
  if (state === undefined) finish(undefined);
  else reset(client, state, [], finish);
}

function reset(
  client: pg.ClientBase,
  state: SessionState,
  then: readonly string[],
  finish: Finish,
): void {
  const forgets = state.prepared || hasForeignPrepared(client);
  const text = [CLEAN, ...(forgets ? ['DEALLOCATE ALL'] : []), ...then].join('; ');
  queryWithTimeout(client, text, (error) => {
    if (error === undefined) {
      states.delete(client);
      if (forgets) forgetAllPrepared(client);
      cleanDriver(client);
    }
    finish(error);
  });
}

/** What user code has left in the driver's client: listeners, and parsers of its own. */
function cleanDriver(client: pg.ClientBase): void {
  client.removeAllListeners('notification');
  client.removeAllListeners('notice');
  const types: unknown = Reflect.get(client, '_types');
  if (typeof types !== 'object' || types === null) return;
  for (const format of ['text', 'binary']) Reflect.set(types, format, {});
}
