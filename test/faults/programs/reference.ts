import { isDeepStrictEqual } from 'node:util';
import { stepKey, type ExecutionFacts, type Facts, type StepFacts } from './facts.js';
import { eventKey, Item, News, SHARED_KEY } from './messages.js';
import {
  sharedKey,
  TELLER,
  childPath,
  type Op,
  type Program,
  type ProgramTask,
} from './program.js';

type End = 'Completed' | 'Failed' | 'Skipped';

/** Thrown where the reference says that the task fails. */
class TaskFails extends Error {}

/**
 * The reference: what an execution of a program comes to, whatever happens to the processes that run it, given how its
 * children and its waits with a time limit have ended. It goes through the program as a task would that meets no fault, and
 * collects where the database says otherwise.
 */
export class Reference {
  readonly wrong: string[] = [];
  private readonly ends = new Map<string, End | 'Cancelled'>();

  constructor(
    private readonly program: Program,
    private readonly execution: ExecutionFacts,
    private readonly facts: Facts,
  ) {}

  /** Sentences about what is wrong. */
  check(): readonly string[] {
    const { program, execution } = this;
    const { status, hasTimedOut } = execution;
    const wasStopped = status === 'Cancelled' || hasTimedOut;
    for (const [no, task] of program.tasks.entries()) this.checkTask(no, task, wasStopped);
    const failed = [...this.ends.values()].includes('Failed');
    const expected = hasTimedOut || failed ? 'Failed' : 'Completed';
    if (status !== 'Cancelled' && status !== expected) this.say(`is ${status}, not ${expected}`);
    if (hasTimedOut && program.timeoutMs === undefined) this.say('timed out without a timeout');
    return this.wrong;
  }

  private checkTask(no: number, task: ProgramTask, wasStopped: boolean): void {
    const row = this.execution.tasks[no];
    const status = row?.status ?? 'missing';
    const steps = new TaskReference(no, task, this.execution, this.facts);
    if (wasStopped && status === 'Cancelled') {
      this.ends.set(task.name, 'Cancelled');
      this.wrong.push(...steps.partly());
      return;
    }
    const runs =
      task.always === true || task.dependsOn.every((name) => this.ends.get(name) === 'Completed');
    const end = runs ? steps.end() : 'Skipped';
    this.ends.set(task.name, end);
    this.wrong.push(...steps.wrong);
    if (status !== end) this.say(`${task.name} is ${status}, not ${end}`);
    else if (end === 'Completed') this.checkOutput(task, steps, row?.output ?? null);
    if (end === 'Skipped' && !runs && steps.hasSteps)
      this.say(`${task.name} has steps and never ran`);
  }

  private checkOutput(
    { name, node }: ProgramTask,
    { values }: TaskReference,
    output: ExecutionFacts['tasks'][number]['output'],
  ): void {
    if (this.program === TELLER || node?.kind === 'child') return;
    const expected = node === undefined ? { [name]: values } : (values[0]?.[1] ?? null);
    const got = node === undefined || output === null ? output : (output[name] ?? null);
    if (!isDeepStrictEqual(got, expected))
      this.say(`${name} returned ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`);
  }

  private say(text: string): void {
    this.wrong.push(text);
  }
}

/** The durable points of one task. */
export class TaskReference {
  readonly wrong: string[] = [];
  /** What each point returns, by name, as the task collects it. */
  readonly values: [string, unknown][] = [];
  /** Names of steps that the task has come to. */
  private readonly passed = new Set<string>();
  private lastShared = 0n;

  constructor(
    private readonly no: number,
    private readonly task: ProgramTask,
    private readonly execution: ExecutionFacts,
    private readonly facts: Facts,
  ) {}

  get hasSteps(): boolean {
    return [...this.execution.steps.values()].some(({ taskNo }) => taskNo === this.no);
  }

  /** How the task ends. Each step of a point that it passes must be over, and there must be no others. */
  end(): End {
    let end: End = 'Completed';
    try {
      if (this.task.node !== undefined) end = this.nodeEnd(this.task.node);
      else for (const op of this.task.ops) this.values.push([op.name, this.valueOf(op)]);
    } catch (error) {
      if (!(error instanceof TaskFails)) throw error;
      end = 'Failed';
    }
    if (this.execution.workflow === TELLER.name) return end;
    for (const { taskNo, name } of this.execution.steps.values()) {
      if (taskNo === this.no && !this.passed.has(name)) this.say(`has a step ${name} of nothing`);
    }
    return end;
  }

  /** Of a task that was stopped: its steps are some of the program's. */
  partly(): readonly string[] {
    const names = new Set(this.task.ops.flatMap(stepsOf));
    for (const { taskNo, name } of this.execution.steps.values()) {
      if (taskNo !== this.no || this.task.node !== undefined) continue;
      if (this.execution.workflow === TELLER.name || names.has(name.split('##')[0] ?? '')) continue;
      this.say(`has a step ${name} of nothing`);
    }
    return this.wrong;
  }

  private nodeEnd(node: NonNullable<ProgramTask['node']>): End {
    const { name } = this.task;
    switch (node.kind) {
      case 'sleep':
        this.slept(this.step('sleep'));
        return 'Completed';
      case 'signal':
        this.values.push([name, this.taken(this.step(name), name)]);
        return 'Completed';
      case 'event': {
        const { path } = this.execution;
        this.values.push([name, this.heard(this.step(`${News.name}#${path}`), path)]);
        return 'Completed';
      }
      case 'timeout': {
        const step = this.step(name, ['Done', 'TimedOut']);
        if (step.status === 'Done') this.values.push([name, this.taken(step, name)]);
        else this.timedOut(step);
        if (step.status === 'Done' || node.onTimeout === 'complete') return 'Completed';
        return node.onTimeout === 'skip' ? 'Skipped' : 'Failed';
      }
      case 'child':
        return this.child('child', node.program, null).status === 'Completed'
          ? 'Completed'
          : 'Failed';
    }
  }

  private valueOf(op: Op): unknown {
    const { name } = op;
    const { path } = this.execution;
    switch (op.kind) {
      case 'step':
        return this.step(name).result;
      case 'insert':
        return this.inserted(name);
      case 'together':
        return [0, 1, 2].map((key) => this.step(`${name}#${key}`).result);
      case 'flaky':
        this.step(name);
        return null;
      case 'defer':
        return null;
      case 'fail':
        throw new TaskFails();
      case 'sleep':
        this.slept(this.step(name));
        return null;
      case 'signal':
        return this.taken(this.step(name), Item.name);
      case 'event':
        return this.heard(this.step(name), eventKey(path, name));
      case 'shared':
        return this.sharedNews(this.step(name));
      case 'timed': {
        const step = this.step(name, ['Done', 'TimedOut']);
        if (step.status === 'Done') return this.taken(step, name);
        this.timedOut(step);
        return null;
      }
      case 'any': {
        const first = this.step(name);
        const rest = this.step(`${name}-rest`);
        const { name: label } = (first.result ?? {}) as { name?: string };
        const [signal, event] = label === 'signal' ? [first, rest] : [rest, first];
        const payloads = [this.taken(signal, name), this.heard(event, eventKey(path, name))];
        return [label, ...(label === 'signal' ? payloads : payloads.toReversed())];
      }
      case 'child': {
        const keys = {
          none: null,
          own: childPath(path, name),
          shared: sharedKey(op.program, path),
        };
        const { id, status } = this.child(name, op.program, keys[op.key]);
        if (op.settles) return { id, status };
        if (status !== 'Completed') throw new TaskFails();
        return status;
      }
      case 'children':
        return op.programs.map((program, i) => {
          const { id, status } = this.child(`${name}-${i}`, program, null);
          return { id, status };
        });
      case 'aside':
        return this.aside(name, op.program);
      case 'callback': {
        const teller = this.aside(`${name}-teller`, TELLER.name);
        const payload = this.taken(this.step(name), name) as { value?: string } | null;
        if (payload?.value !== teller) this.say(`${name} was answered by another child`);
        return payload;
      }
    }
  }

  /** The row of a step that the task has passed. */
  private step(name: string, ends: readonly string[] = ['Done']): StepFacts {
    this.passed.add(name);
    const step = this.execution.steps.get(stepKey(this.no, name));
    if (step === undefined) this.say(`has passed ${name}, which is not recorded`);
    else if (!ends.includes(step.status)) this.say(`has passed ${name}, which is ${step.status}`);
    return step ?? MISSING;
  }

  /** A signal to this execution, which no other wait has taken. */
  private taken({ name: step, signalId, result, status }: StepFacts, name: string): unknown {
    const signal = this.facts.signals.get(signalId ?? '');
    if (status !== 'Done') return null;
    if (signal === undefined) this.say(`${step} took a signal that does not exist`);
    else {
      if (signal.executionId !== this.execution.id || signal.name !== name)
        this.say(`${step} took the signal ${signal.name} of ${signal.executionId}`);
      if (!signal.consumed) this.say(`${step} took a signal that is there still`);
    }
    const payload = signal?.payload ?? null;
    const got = isReceived(result) ? result.payload : result;
    if (!isDeepStrictEqual(got, payload)) this.say(`${step} has another payload than its signal`);
    return payload;
  }

  private heard({ name: step, signalId, result, status }: StepFacts, key: string): unknown {
    if (status !== 'Done') return null;
    const event = this.facts.signals.get(signalId ?? '');
    if (event?.executionId !== null || event.name !== News.name || event.key !== key)
      this.say(`${step} heard the event ${event?.name} ${event?.key}, not ${key}`);
    if (event?.consumed === true) this.say(`${step} used up an event`);
    const payload = event?.payload ?? null;
    const got = isReceived(result) ? result.payload : result;
    if (!isDeepStrictEqual(got, payload)) this.say(`${step} has another payload than its event`);
    return payload;
  }

  private sharedNews(step: StepFacts): unknown {
    const payload = this.heard(step, SHARED_KEY);
    const event = this.facts.signals.get(step.signalId ?? '');
    if (event !== undefined) {
      if (event.createdAt < this.execution.createdAt)
        this.say(`${step.name} heard an event that is older than the execution`);
      if (BigInt(event.id) <= this.lastShared) this.say(`${step.name} heard an event again`);
      this.lastShared = BigInt(event.id);
    }
    return payload;
  }

  private slept({ name, dueAt, completedAt }: StepFacts): void {
    if (dueAt === null || completedAt === null || completedAt < dueAt)
      this.say(`${name} ended before its time`);
  }

  private timedOut(step: StepFacts): void {
    this.slept(step);
    if (step.signalId !== null) this.say(`${step.name} timed out and took a signal`);
  }

  private inserted(name: string): unknown {
    const written = this.facts.effects.filter(
      (each) => each.executionId === this.execution.id && each.name === name,
    );
    const value = this.task.transactional === true ? written[0]?.value : this.step(name).result;
    if (written.length !== 1) this.say(`${name} wrote ${written.length} times`);
    else if (written[0]?.value !== value) this.say(`${name} wrote another value than it returned`);
    return value;
  }

  /** The child of a step: exactly one execution. */
  private child(
    name: string,
    program: string,
    key: string | null,
  ): { readonly id: string; readonly status: string } {
    const step = this.step(name, ['Done', 'Failed']);
    const child = this.facts.executions.get(step.childId ?? '');
    if (child === undefined) {
      this.say(`${name} has no child`);
      return { id: '', status: 'missing' };
    }
    if (child.workflow !== program) this.say(`${name} started ${child.workflow}`);
    if (child.key !== key) this.say(`${name} has a child with the key ${child.key}, not ${key}`);
    const isOwn = child.parentId === this.execution.id && child.parentStep === name;
    if (key === null && !isOwn) this.say(`${name} has the child of another step`);
    if ((child.status === 'Completed') !== (step.status === 'Done'))
      this.say(`${name} is ${step.status}, and its child ${child.status}`);
    return child;
  }

  private aside(name: string, program: string): string | null {
    const { childId } = this.step(name);
    const child = this.facts.executions.get(childId ?? '');
    if (child?.workflow !== program || child.parentStep !== name)
      this.say(`${name} has no child of its own`);
    return childId;
  }

  private say(text: string): void {
    this.wrong.push(`${this.task.name}: ${text}`);
  }
}

const MISSING: StepFacts = {
  taskNo: 0,
  name: 'missing',
  kind: 'step',
  status: 'missing',
  result: null,
  childId: null,
  signalId: null,
  dueAt: null,
  completedAt: null,
};

/** The names of the steps that a point may leave. */
function stepsOf(op: Op): string[] {
  const { name } = op;
  switch (op.kind) {
    case 'together':
      return [0, 1, 2].map((key) => `${name}#${key}`);
    case 'any':
      return [name, `${name}-rest`];
    case 'children':
      return op.programs.map((_, i) => `${name}-${i}`);
    case 'callback':
      return [name, `${name}-teller`];
    default:
      return [name];
  }
}

function isReceived(result: unknown): result is { readonly payload: unknown } {
  return typeof result === 'object' && result !== null && 'payload' in result;
}
