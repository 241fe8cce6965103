import type { JsonObject } from '../../discovery/context-types.js';
import { InvalidContextError } from '../../errors/index.js';
import { decodeJson, encodeJson, type ContextView } from '../../workflow/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { checkKey, encodeContext } from './context-entries.js';
import type { TaskRun } from './task-run.js';

const NO_WRITES: ReadonlyMap<string, string | undefined> = new Map();

/** The execution's context as one run of a task sees it: the task's input, and what the run has written over it. */
export class ContextValues {
  /** JSON texts by key; undefined: the key is deleted. Created by the first write, because many tasks write nothing. */
  private writes: Map<string, string | undefined> | undefined;
  private frozenData: Readonly<JsonObject> | undefined;

  constructor(
    private readonly claim: TaskClaim,
    private readonly input: ContextView,
    private readonly run: Pick<TaskRun, 'hasReturned' | 'warnWriteIgnored'>,
  ) {}

  get data(): Readonly<JsonObject> {
    return (this.frozenData ??= Object.freeze(
      decodeJson(
        this.input.withWrites(this.claim.task.no, this.writes ?? NO_WRITES).toJson(),
      ) as JsonObject,
    ));
  }

  // Parses at each call, so that each caller gets a copy. Changes to the copy are not stored.
  get(key: string): unknown {
    const json = this.jsonOf(key);
    return json === undefined ? undefined : decodeJson(json);
  }

  has(key: string): boolean {
    return this.jsonOf(key) !== undefined;
  }

  // oxlint-disable-next-line typescript/no-generated-empty-object-type -- anything but null and undefined
  require(key: string): NonNullable<unknown> {
    const value = this.get(key);
    if (value === undefined || value === null) {
      throw new InvalidContextError(
        key,
        key,
        `is required by task "${this.claim.task.name}" and is missing`,
      );
    }
    return value;
  }

  set(key: string, value: unknown): void {
    checkKey(key);
    // As JSON.stringify does with an undefined property.
    if (value === undefined) return this.write(key, undefined);
    const encoded = encodeJson(value);
    if (!encoded.ok) {
      const path = encoded.path === '' ? key : joinPath(key, encoded.path);
      throw new InvalidContextError(key, path, encoded.problem);
    }
    this.write(key, encoded.json);
  }

  delete(key: string): void {
    checkKey(key);
    this.write(key, undefined);
  }

  /** Adds the handler's result to the writes, and returns all writes of this run. */
  finish(result: unknown): ReadonlyMap<string, string | undefined> {
    if (result !== undefined && result !== null) {
      const whole = `The value that task "${this.claim.task.name}" returned`;
      for (const [key, json] of encodeContext(result, whole)) this.write(key, json);
    }
    return this.writes ?? NO_WRITES;
  }

  private write(key: string, json: string | undefined): void {
    if (this.run.hasReturned) this.run.warnWriteIgnored(key);
    this.writes ??= new Map();
    this.writes.set(key, json);
    this.frozenData = undefined;
  }

  private jsonOf(key: string): string | undefined {
    if (this.writes?.has(key) === true) return this.writes.get(key);
    return this.input.get(key)?.json;
  }
}

function joinPath(key: string, path: string): string {
  return path.startsWith('[') ? `${key}${path}` : `${key}.${path}`;
}
