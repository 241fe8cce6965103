import type { JsonObject } from '../discovery/context-types.js';
import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { RunTaskOptions, TestingTenant } from './testing-tenant.js';
import type { TestHarness } from './test-harness.js';

interface LoneTask {
  readonly tenant: TestingTenant;
  readonly workflow: RegisteredWorkflow;
  readonly task: string;
  readonly options: RunTaskOptions;
}

/** Runs one task as a workflow of its own. See `TestingTenant.runTask`. */
export async function runAlone(
  { lone, added, manager }: TestHarness,
  { tenant, workflow, task, options }: LoneTask,
): Promise<JsonObject> {
  const { workflow: alone, result } = lone.create({
    workflow,
    task,
    attempt: wholeNumber('attempt', options.attempt ?? 1, 1),
    recoveryAttempt: wholeNumber('recoveryAttempt', options.recoveryAttempt ?? 0, 0),
  });
  added.add(alone);
  const { name } = alone.definition;
  const { catalog } = manager.find(tenant.name).engine;
  await catalog.builtIn(name);
  const handle = await tenant.runner.start(name, options.context ?? {});
  const ended = await tenant.time.advanceUntil(handle);
  const { keys, thrown } = result();
  if (ended.status === 'Completed') {
    return Object.fromEntries(Object.entries(ended.context).filter(([key]) => keys.has(key)));
  }
  if (thrown !== undefined) throw thrown.error;
  await handle.result();
  return {};
}

function wholeNumber(argument: string, value: number, min: number): number {
  if (Number.isInteger(value) && value >= min) return value;
  throw new InvalidArgumentError(
    argument,
    `must be a whole number from ${min}, not ${formatValue(value)}`,
  );
}
