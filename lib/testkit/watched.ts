import type { ProcessLife } from './process-life.js';

/** They work without a reply of the database. */
const NOT_CALLS: ReadonlySet<PropertyKey> = new Set(['classifyFailure', 'close', 'within']);
/** Values that are not roles of a store. */
const NOT_ROLES: ReadonlySet<PropertyKey> = new Set(['database', 'handle', 'manager']);

/** The work of a transaction: a handler, and the statement that records its outcome. */
type Work = (transaction: object) => Promise<unknown>;

/**
 * Wraps a store or a session, so that the process counts its calls, and no call goes through once the process is dead. The
 * roles that a store has as members are wrapped too.
 */
export function watched<T extends object>(target: T, life: ProcessLife): T {
  const known = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get: (_, key) => {
      if (known.has(key)) return known.get(key);
      const value: unknown = Reflect.get(target, key);
      const wrapped = wrap(value, key, target, life);
      // Getters of a session are read each time.
      if (wrapped !== value) known.set(key, wrapped);
      return wrapped;
    },
  });
}

function wrap(value: unknown, key: PropertyKey, target: object, life: ProcessLife): unknown {
  if (typeof value === 'function') {
    const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args) as unknown;
    if (key === 'transaction') {
      return (work: Work, ...rest: unknown[]) =>
        life.around(work, (counted) =>
          call((given: object) => counted(watched(given, life)), ...rest),
        );
    }
    return NOT_CALLS.has(key) ? call : (...args: unknown[]) => life.call(() => call(...args));
  }
  const isRole = typeof value === 'object' && value !== null && !NOT_ROLES.has(key);
  return isRole ? watched(value, life) : value;
}
