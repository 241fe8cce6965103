import type { StoredError } from '../errors/index.js';
import type { Execution, TaskDetails } from '../runner/execution.js';
import { thrownBy } from './thrown-errors.js';
import type { ExpectedError } from './matcher-types.js';

/** What a matcher returns to `expect()` of Jest and Vitest. */
export interface MatcherResult {
  /** Whether the execution is as the matcher says. With `.not`, the test fails if it is true. */
  readonly pass: boolean;
  /** Makes the text of the failure, in which the execution is described: its error, and the state of each task. */
  readonly message: () => string;
}

type Read = Pick<Execution, 'id' | 'workflow' | 'status' | 'tasks' | 'error' | 'reason'>;

/**
 * The matchers of the test kit, for `expect.extend()` of Jest and Vitest.
 *
 * @example
 * ```ts
 * expect.extend(cloacinaMatchers);
 * expect(await tenant.run(OrderFulfilment, { orderId: 17 })).toHaveRun(['charge', 'ship']);
 * ```
 */
export const cloacinaMatchers = {
  toHaveCompleted(received: unknown): MatcherResult {
    return whether(received, 'to have completed', ({ status }) => status === 'Completed');
  },

  toHaveFailedWith(received: unknown, expected?: ExpectedError): MatcherResult {
    const what =
      expected === undefined ? 'to have failed' : `to have failed with ${name(expected)}`;
    return whether(
      received,
      what,
      ({ id, status, error }) =>
        status === 'Failed' &&
        (expected === undefined || (error !== undefined && isError(id, error, expected))),
    );
  },

  toHaveRun(received: unknown, expected: readonly string[]): MatcherResult {
    return whether(received, `to have run ${list(expected)}`, (execution) => {
      const ran = ranIn(execution);
      return ran.length === expected.length && ran.every((task, i) => task === expected[i]);
    });
  },
};

function whether(
  received: unknown,
  what: string,
  matches: (execution: Read) => boolean,
): MatcherResult {
  if (!isExecution(received)) {
    return {
      pass: false,
      message: () =>
        `Expected an execution ${what}, but got ${String(received)}. Pass what run(), advanceUntil() or runner.get() returns.`,
    };
  }
  const pass = matches(received);
  return {
    pass,
    message: () =>
      `Expected ${received.workflow} ${pass ? 'not ' : ''}${what}, but it ${pass ? 'has' : 'has not'}.\n\n${story(received)}`,
  };
}

function isExecution(value: unknown): value is Read {
  return (
    typeof value === 'object' &&
    value !== null &&
    'status' in value &&
    'tasks' in value &&
    Array.isArray(value.tasks)
  );
}

/** The tasks whose handlers have begun, by the start of their first attempts. */
function ranIn({ tasks }: Read): string[] {
  const begun = tasks.flatMap((task) => {
    const at = firstStartOf(task);
    return at === undefined ? [] : [{ name: task.name, at }];
  });
  return begun.sort((a, b) => a.at - b.at).map((task) => task.name);
}

function firstStartOf({ attempts, startedAt, status }: TaskDetails): number | undefined {
  if (status === 'Skipped') return undefined;
  return (attempts[0]?.startedAt ?? startedAt)?.getTime();
}

function isError(id: string, error: StoredError, expected: ExpectedError): boolean {
  if (expected instanceof RegExp) return expected.test(error.message);
  if (typeof expected === 'function') {
    const hasClass = thrownBy(id, error.message).some((each) => each instanceof expected);
    return hasClass || error.name === expected.name;
  }
  return error.code === expected || error.name === expected || error.message.includes(expected);
}

function name(expected: ExpectedError): string {
  if (typeof expected === 'function') return expected.name;
  return typeof expected === 'string' ? JSON.stringify(expected) : String(expected);
}

/** What happened, for messages: the end, and a line for each task. */
function story({ id, status, error, reason, tasks }: Read): string {
  const why = error === undefined ? (reason ?? '') : describe(error);
  const lines = tasks.map((task) => `  ${taskLine(task)}`);
  return [`Execution ${id} is ${status}${why === '' ? '' : `: ${why}`}`, ...lines].join('\n');
}

function taskLine({
  name: task,
  status,
  attempts,
  attempt,
  error,
  skipReason,
  waitingFor,
}: TaskDetails): string {
  const errors = attempts.flatMap(({ attempt: no, error: of }) =>
    of === undefined ? [] : [`attempt ${no}: ${describe(of)}`],
  );
  if (errors.length === 0 && error !== undefined) errors.push(describe(error));
  const facts = [
    ...(attempt > 1 ? [`${attempt} attempts`] : []),
    ...(skipReason === undefined ? [] : [`skipped: ${String(skipReason)}`]),
    ...(waitingFor === undefined ? [] : [waitingFor.detail]),
    ...errors,
  ];
  return [`${task}: ${status}`, ...facts].join('; ');
}

function describe({ name: of, code, message }: StoredError): string {
  return `${of}${code === undefined ? '' : ` (${code})`}: ${message}`;
}

function list(tasks: readonly string[]): string {
  return tasks.length === 0 ? 'no task' : tasks.join(', ');
}
