import { expect, it } from '@jest/globals';
import { SuspensionSignal } from '../../../lib/engine/waits/suspension.js';
import type { StepServices } from '../../../lib/engine/waits/step-services.js';
import { stepNameOf } from '../../../lib/engine/waits/step-name.js';
import { TaskSteps } from '../../../lib/engine/waits/task-steps.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import type { StepRow } from '../../../lib/store/port/index.js';

const DUE_MS = 4_000;
/** Longer than the wait: the database was away. */
const STATEMENT_MS = 5_000;

/** The steps of a run whose statements take their time, and whose wait has so long to go when they are answered. */
function stepsOf(stored: readonly Partial<StepRow>[]): TaskSteps {
  let now = 0;
  const answered = <T>(value: T): Promise<T> => {
    now += STATEMENT_MS;
    return Promise.resolve(value);
  };
  const services = {
    clock: { now: () => now, immediate: setImmediate },
    maxSteps: 10,
    maxStepsSize: 33_554_432,
    read: () => answered(new Map(stored.map((row) => [row.name, row]))),
    record: () => answered({ dueInMs: DUE_MS }),
  } as unknown as StepServices;
  const claim = {
    task: { name: 'only' },
    signal: new AbortController().signal,
    hasSteps: stored.length > 0,
  } as TaskClaim;
  return new TaskSteps(claim, services);
}

it.each([
  ['is opened', []],
  [
    'was opened before',
    [{ name: 'nap', kind: 'sleep', status: 'Open', result: null, dueInMs: DUE_MS }] as const,
  ],
])('A wait that %s is not shorter by the time that its statement takes', async (_, stored) => {
  const steps = stepsOf(stored);
  const waiting = steps.wait({
    kind: 'sleep',
    name: stepNameOf('nap'),
    due: { inMs: DUE_MS },
    whenDue: 'Done',
    listensFor: null,
    valueOf: () => undefined,
  });
  await expect(waiting).rejects.toBeInstanceOf(SuspensionSignal);
  expect(steps.points.suspension?.delayMs).toBe(DUE_MS);
});
