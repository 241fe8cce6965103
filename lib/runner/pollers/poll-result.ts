import type { PollerResult, PollerStart } from '../../discovery/poller-types.js';
import { closestName, InvalidPollError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import { encodeJson } from '../../workflow/index.js';

const MAX_CURSOR_BYTES = 1_000_000;

const RESULT_FIELDS: ReadonlySet<string> = new Set<keyof PollerResult>(['starts', 'cursor']);
const START_FIELDS: ReadonlySet<string> = new Set<keyof PollerStart>([
  'key',
  'input',
  'tags',
  'priority',
  'runAt',
  'delay',
]);

/** A checked start. */
export interface FoundStart {
  readonly start: PollerStart;
  /** Its index in the result. */
  readonly index: number;
}

/** A checked result. */
export interface FoundByPoll {
  /** One start for each key: the first. */
  readonly starts: readonly FoundStart[];
  /** JSON text; undefined if the cursor stays. */
  readonly cursor: string | undefined;
}

/**
 * Checks what a poll has returned. A field of an unknown name is refused: a mistyped `starts` would be lost behind the new
 * cursor.
 *
 * @throws InvalidPollError that names the field
 */
export function checkPollResult(poller: string, result: unknown): FoundByPoll {
  if (result === undefined) return { starts: [], cursor: undefined };
  const check = new ResultCheck(poller);
  const { starts, cursor } = check.object('the result', result, RESULT_FIELDS);
  return {
    starts: starts === undefined ? [] : check.starts(starts),
    cursor: cursor === undefined ? undefined : check.cursor(cursor),
  };
}

/** @returns the cursor as JSON text, or the problem: the path of the part, and a clause that follows it */
export function encodeCursor(
  cursor: unknown,
): { readonly json: string } | { readonly path: string; readonly problem: string } {
  const encoded = encodeJson(cursor, MAX_CURSOR_BYTES);
  if (!encoded.ok) return { path: pathIn('cursor', encoded.path), problem: encoded.problem };
  if (encoded.bytes <= MAX_CURSOR_BYTES) return { json: encoded.json };
  return {
    path: 'cursor',
    problem: `is ${encoded.bytes} bytes of JSON; at most ${MAX_CURSOR_BYTES} are allowed`,
  };
}

class ResultCheck {
  constructor(private readonly poller: string) {}

  starts(starts: unknown): FoundStart[] {
    if (!Array.isArray(starts))
      this.refuse('starts', `must be an array, not ${formatValue(starts)}`);
    const byKey = new Map<string, FoundStart>();
    for (const [index, one] of (starts as unknown[]).entries()) {
      const start = this.start(`starts[${index}]`, one);
      if (!byKey.has(start.key)) byKey.set(start.key, { start, index });
    }
    return [...byKey.values()];
  }

  cursor(cursor: unknown): string {
    const encoded = encodeCursor(cursor);
    return 'json' in encoded ? encoded.json : this.refuse(encoded.path, encoded.problem);
  }

  private start(field: string, value: unknown): PollerStart {
    const { key, input, ...others } = this.object(field, value, START_FIELDS);
    if (typeof key !== 'string' || key === '') {
      this.refuse(
        `${field}.key`,
        `must be a string that is not empty, so that the same thing seen twice starts one execution, not ${formatValue(key)}`,
      );
    }
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      this.refuse(`${field}.input`, `must be an object, not ${formatValue(input)}`);
    }
    return { ...others, key, input: input as PollerStart['input'] };
  }

  /** The members of an object that has only known ones. */
  object(field: string, value: unknown, known: ReadonlySet<string>): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.refuse(field, `must be an object, not ${formatValue(value)}`);
    }
    for (const [name, member] of Object.entries(value)) {
      if (known.has(name) || member === undefined) continue;
      const closest = closestName(name, known);
      const instead = closest === undefined ? `remove it` : `use ${JSON.stringify(closest)}`;
      this.refuse(field, `has the unknown member ${JSON.stringify(name)}; ${instead}`);
    }
    return value as Record<string, unknown>;
  }

  private refuse(field: string, problem: string): never {
    throw new InvalidPollError(this.poller, field, problem);
  }
}

function pathIn(root: string, path: string): string {
  if (path === '') return root;
  return path.startsWith('[') ? `${root}${path}` : `${root}.${path}`;
}
