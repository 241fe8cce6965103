import { ContextTooLargeError, InvalidContextError } from '../../errors/index.js';
import type { StepKind, StepRecord, StepStatus } from '../../store/port/index.js';
import { decodeJson, encodeJson } from '../../workflow/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { StepName } from './step-name.js';

/** Part of a record that not every step has. */
type RecordDetail = Partial<Pick<StepRecord, 'result' | 'listensFor' | 'due' | 'tookMs'>>;

/** The record of a step of the claimed task. */
export function stepRecord(
  { executionId, taskNo, itemNo, token }: TaskClaim,
  { stored }: Pick<StepName, 'stored'>,
  kind: StepKind,
  status: StepStatus,
  { result = null, listensFor = null, due = null, tookMs = 0 }: RecordDetail = {},
): StepRecord {
  return {
    executionId,
    taskNo,
    itemNo,
    token,
    name: stored,
    kind,
    status,
    result,
    error: null,
    childId: null,
    listensFor,
    due,
    tookMs,
  };
}

/**
 * The JSON text of a step's result. Null for undefined.
 *
 * @param maxSize - in bytes of JSON
 * @throws InvalidContextError for a result that JSON cannot carry
 * @throws ContextTooLargeError for a result that is larger than `maxSize`
 */
export function encodeResult({ shown }: StepName, value: unknown, maxSize: number): string | null {
  if (value === undefined) return null;
  const encoded = encodeJson(value);
  if (!encoded.ok) {
    const where = encoded.path === '' ? '' : ` at ${encoded.path}`;
    const whole = `The result of step ${JSON.stringify(shown)}${where}`;
    throw new InvalidContextError('', '', encoded.problem, { whole });
  }
  if (encoded.bytes > maxSize) {
    throw new ContextTooLargeError(encoded.bytes, maxSize, [[shown, encoded.bytes]]);
  }
  return encoded.json;
}

/** A result as a later run reads it: a Date has become a text in the first run already. */
export function decodeResult(json: string | null): unknown {
  return json === null ? undefined : decodeJson(json);
}
