import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  anything,
  callable,
  checkOptions,
  duration,
  formatValue,
  wholeNumber,
  type Checks,
} from '../errors/option-checks.js';
import { checkRetention, PERIOD_CHECKS } from '../errors/retention-check.js';
import type { RetryOptions, TaskOptions, WorkflowOptions } from './options.js';

// These tables check the names of options, and functions. compileWorkflow checks the other values.
const WORKFLOW_OPTIONS: Checks<WorkflowOptions> = {
  name: anything,
  version: anything,
  description: anything,
  timeout: anything,
  maxPending: wholeNumber(1),
  priorityAging: duration(1_000),
  admission: anything,
  schedule: anything,
  retention: anything,
  input: (value) =>
    isStandardSchema(value)
      ? undefined
      : `must be a Standard Schema, such as zod, valibot and arktype make, not ${formatValue(value)}`,
};

const TASK_OPTIONS: Checks<TaskOptions> = {
  name: anything,
  dependsOn: anything,
  when: anything,
  retry: anything,
  timeout: anything,
  transactional: anything,
  priority: anything,
  limit: anything,
  fairKey: anything,
};

const RETRY_OPTIONS: Checks<RetryOptions> = {
  maxAttempts: anything,
  backoff: anything,
  delay: anything,
  maxDelay: anything,
  jitter: anything,
  retryIf: callable,
};

/** Whether a value is a Standard Schema, version 1. It may be a function: some libraries' schemas are. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const standard: unknown = Reflect.get(value, '~standard');
  if (typeof standard !== 'object' || standard === null) return false;
  return (
    Reflect.get(standard, 'version') === 1 &&
    typeof Reflect.get(standard, 'validate') === 'function'
  );
}

/** The unknown options and invalid functions of a workflow. Each problem is a sentence that begins with `owner`. */
export function checkWorkflowOptions(owner: string, options: unknown): string[] {
  const retention: unknown = isObject(options) ? Reflect.get(options, 'retention') : undefined;
  return [
    ...checkOptions(owner, options, WORKFLOW_OPTIONS),
    ...checkRetention(owner, retention, PERIOD_CHECKS),
  ];
}

/** The unknown options and invalid functions of a task and its `retry`. Each is a sentence that begins with `owner`. */
export function checkTaskOptions(owner: string, options: unknown): string[] {
  const problems = checkOptions(owner, options, TASK_OPTIONS);
  const retry: unknown = isObject(options) ? Reflect.get(options, 'retry') : undefined;
  return isObject(retry)
    ? [...problems, ...checkOptions(`${owner}, retry`, retry, RETRY_OPTIONS)]
    : problems;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
