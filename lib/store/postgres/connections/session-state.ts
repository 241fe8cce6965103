import type pg from 'pg';
import { queryWithTimeout } from './destroy-socket.js';
import { forgetAllPrepared, hasForeignPrepared } from './prepared-statements.js';

/** The state of a session that user code has used since it was last clean. */
interface SessionState {
  /** Schema of the tenant whose user code used the session. */
  readonly tenant: string;
  /** The session's `search_path`, as it was set. */
  readonly path: string;
  /** Whether a statement may have left something beyond its transaction, which has to be undone. */
  left: boolean;
  /** Whether user code may have prepared statements. */
  prepared: boolean;
}

/** States by connection. Connections without an entry are clean. */
const states = new WeakMap<pg.ClientBase, SessionState>();

/** Matches statements that leave something in the session, by their first words. */
const LEAVING =
  /(?:^|;)\s*(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\b|listen\b|load\b|declare\b|do\b|call\b|prepare\b|deallocate\b|discard\b)/i;
/** Matches expressions anywhere in a text that leave something in the session. */
const LEAVING_WITHIN = /\b(?:set_config|pg_\w*advisory\w*|temp|temporary|pg_temp)\b/i;
/** Matches texts that may prepare a statement. */
const PREPARING = /\b(?:prepare|execute)\b|(?:^|;)\s*(?:do|call)\b/i;

/**
 * Does what `DISCARD ALL` does, which can't share a message with other statements, with three differences:
 * - The role becomes the login's default, which `ALTER ROLE … SET role` may have set.
 * - Plans are kept, because they contain nothing of a tenant.
 * - Prepared statements are dropped only if user code has made some. Planning one of the library's own again costs a
 *   millisecond.
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

/** Notes the effects of a text that user code sends. */
export function noteText(client: pg.ClientBase, text: string): void {
  const state = states.get(client);
  if (state === undefined || (state.left && state.prepared)) return;
  if (PREPARING.test(text)) state.prepared = true;
  if (LEAVING.test(text) || LEAVING_WITHIN.test(text)) state.left = true;
}

/** Whether the library's statements and other tenants can use the session. */
export function isClean(client: pg.ClientBase): boolean {
  return !states.has(client);
}

/** Whether user code has left something that its own next use should not find either. */
export function hasLeftovers(client: pg.ClientBase): boolean {
  return states.get(client)?.left === true;
}

type Finish = (error: Error | undefined) => void;

/**
 * Prepares the session for a tenant's user code: clean, with the tenant's `search_path`. It takes one message, or none if
 * the same tenant used the session last. If it fails, the connection must be closed.
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

/** Cleans the session. If it fails, the connection must be closed. */
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

/** Removes listeners and type parsers that user code has left in the driver's client. */
function cleanDriver(client: pg.ClientBase): void {
  client.removeAllListeners('notification');
  client.removeAllListeners('notice');
  const types: unknown = Reflect.get(client, '_types');
  if (typeof types !== 'object' || types === null) return;
  for (const format of ['text', 'binary']) Reflect.set(types, format, {});
}
