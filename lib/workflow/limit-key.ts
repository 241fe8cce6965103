import { isRecord } from './json-equality.js';
import { limitKeyOf, MAP_SEPARATOR, MAX_LIMIT_KEY_LENGTH, type TaskLimit } from './limit.js';
import { textProblem } from './text.js';

/** The stored key of a task, or a clause that says what is wrong with the value at its path. */
export type LimitKey =
  | { readonly ok: true; readonly limitKey: string }
  | { readonly ok: false; readonly problem: string };

/**
 * Computes the key under which a task counts for its limit. It depends on the stored definition and the input only, so
 * every process computes the same one, also a process without the code.
 *
 * @param root - the value in which the path begins: the input of the execution, or an object with the item of a map
 */
export function findLimitKey(limit: TaskLimit, root: unknown): LimitKey {
  if (limit.key === undefined) return { ok: true, limitKey: limitKeyOf(limit.name, '') };
  let value = root;
  for (const part of limit.key.split('.')) {
    value = isRecord(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  }
  const text = textOf(value);
  const problem = text === undefined ? problemOf(value) : keyProblem(text);
  return text === undefined || problem !== undefined
    ? { ok: false, problem: problem ?? problemOf(value) }
    : { ok: true, limitKey: limitKeyOf(limit.name, text) };
}

/** Why a text can't be a key, as a clause that follows its name; undefined for a valid key. */
export function keyProblem(key: string): string | undefined {
  if (key === '') return 'is empty';
  if (key.length > MAX_LIMIT_KEY_LENGTH) {
    return `has ${key.length} characters; at most ${MAX_LIMIT_KEY_LENGTH} are allowed`;
  }
  if (key.includes(MAP_SEPARATOR)) {
    return 'contains \\u001e, which separates the parts of stored keys; remove it';
  }
  return textProblem(key);
}

/** Whether a path begins in the item of a map, and not in the input. */
export function isItemPath(path: string | undefined): boolean {
  return path !== undefined && (path === 'item' || path.startsWith('item.'));
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function problemOf(value: unknown): string {
  if (value === undefined || value === null) return 'is missing';
  return Array.isArray(value) ? 'is a list' : 'is an object';
}
