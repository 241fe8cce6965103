import { CloacinaError } from '../errors/index.js';
import type { Execution } from '../runner/execution.js';

/** The execution does not end, however far the time of the test moves. It waits for something that the test has to do. */
export class ExecutionStuckError extends CloacinaError {
  /** The id of the execution. */
  readonly executionId: string;

  constructor({ id, workflow, status, tasks, waitingFor }: Execution) {
    const waits = tasks.flatMap(({ name, waitingFor: own }) =>
      own === undefined || own.reason === 'dependencies' ? [] : [`task "${name}": ${own.detail}`],
    );
    if (waits.length === 0 && waitingFor !== undefined) waits.push(waitingFor.detail);
    const running = tasks.filter((task) => task.status === 'Running').map(({ name }) => name);
    if (running.length > 0) waits.push(`still running: ${running.join(', ')}`);
    super(
      'EXECUTION_STUCK',
      `Execution ${id} of ${workflow} is ${status}, and time alone does not end it. ` +
        (waits.length === 0 ? '' : `It waits for: ${waits.join('; ')}. `) +
        'Send what it waits for, or resume it, before the time moves on.',
    );
    this.executionId = id;
  }
}
