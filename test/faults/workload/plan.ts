import { pick, randomFrom } from './random.js';

/** What a task does, and how it goes wrong by itself. */
export interface PlannedTask {
  readonly name: string;
  readonly dependsOn: readonly string[];
  /** Default: the library's. */
  readonly timeoutMs?: number;
  /** Default: 50. */
  readonly maxAttempts?: number;
  /** Its handler goes on when the gate of the task is opened, or the one of the task and the process. */
  readonly gated?: boolean;
  readonly kind: 'plain' | 'flaky' | 'deferring' | 'transactional' | 'failing' | 'always';
}

export interface PlannedWorkflow {
  readonly name: string;
  readonly tasks: readonly PlannedTask[];
}

const KINDS = [
  'plain',
  'plain',
  'flaky',
  'deferring',
  'transactional',
  'transactional',
  'always',
  'failing',
] as const;

/** The same workflows from the same seed, in the test and in its children. */
export function planWorkflows(seed: number, count: number): PlannedWorkflow[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, no) => {
    const size = 3 + Math.floor(random() * 5);
    const tasks: PlannedTask[] = [];
    for (let i = 0; i < size; i++) {
      const dependsOn = tasks.filter(() => random() < 0.45).map(({ name }) => name);
      // One in eight or so fails for good, so that skips and handlers of failures are among what is checked.
      const kind = pick(random, KINDS);
      tasks.push({ name: `t${i}`, dependsOn: dependsOn.slice(-3), kind });
    }
    return { name: `flow${no}`, tasks };
  });
}

export interface Expected {
  readonly status: 'Completed' | 'Failed';
  readonly tasks: ReadonlyMap<string, { status: string; sum?: number }>;
}

/** The reference: what an execution comes to, whatever happens to the processes that run it. */
export function expectedOf({ tasks }: PlannedWorkflow): Expected {
  const results = new Map<string, { status: string; sum?: number }>();
  for (const [no, task] of tasks.entries()) {
    const before = task.dependsOn.map((name) => results.get(name));
    const runs = task.kind === 'always' || before.every((result) => result?.status === 'Completed');
    if (!runs) results.set(task.name, { status: 'Skipped' });
    else if (task.kind === 'failing') results.set(task.name, { status: 'Failed' });
    else {
      const sum = before.reduce((total, result) => total + (result?.sum ?? 0), no + 1);
      results.set(task.name, { status: 'Completed', sum });
    }
  }
  // No rule here expects a failure, so none is handled.
  const failed = [...results.values()].some(({ status }) => status === 'Failed');
  return { status: failed ? 'Failed' : 'Completed', tasks: results };
}
