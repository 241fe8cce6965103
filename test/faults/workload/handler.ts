import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import type { PlannedTask, PlannedWorkflow } from './plan.js';

/** One line of the log: what a handler did. */
export interface Entry {
  /** `threw`: a statement of its own was refused. */
  readonly what: 'begun' | 'ended' | 'threw';
  readonly by: string;
  readonly run: string;
  /** The workflow whose handler it is. */
  readonly workflow: string;
  readonly executionId: string;
  readonly task: string;
  readonly attempt: number;
  readonly recoveryAttempt: number;
  /** Milliseconds since 1970, by this machine's clock, which is the server's too. */
  readonly at: number;
  /** The runs of the dependencies, as this one sees them. */
  readonly saw?: Readonly<Record<string, string>>;
}

interface Value {
  readonly sum: number;
  readonly run: string;
  readonly padding?: string;
}

export interface HandlerSettings {
  readonly name: string;
  readonly folder: string;
  readonly handlerMs: number;
  /** Bytes that each result has beside what is checked. */
  readonly padding?: number;
}

/** The file whose presence lets gated handlers of a task go on: all of them, or those of one process. */
export function gateFile(folder: string, task: string, worker?: string): string {
  return path.join(folder, `gate-${task}${worker === undefined ? '' : `-${worker}`}`);
}

/** What the planned tasks do. */
export class PlannedHandlers {
  /** Where the process ends itself. */
  killIn: 'begin' | 'end' | undefined;

  constructor(private readonly settings: HandlerSettings) {}

  async handle(
    workflow: PlannedWorkflow,
    task: PlannedTask,
    no: number,
    context: TaskContext,
  ): Promise<Record<string, Value>> {
    const { executionId, attempt, recoveryAttempt } = context;
    const run = randomUUID();
    const saw: Record<string, string> = {};
    let sum = no + 1;
    for (const name of task.dependsOn) {
      const value = context.get(name) as Value | undefined;
      if (value === undefined) continue;
      saw[name] = value.run;
      sum += value.sum;
    }
    const { name: by, handlerMs, padding } = this.settings;
    const entry = { by, run, workflow: workflow.name, executionId, task: task.name };
    const counts = { attempt, recoveryAttempt };
    this.note({ what: 'begun', ...entry, ...counts, at: Date.now(), saw });
    this.die('begin');
    if (task.gated === true) await this.gate(task.name);
    if (task.kind === 'failing') throw new NonRetryableError('as planned');
    if (task.kind === 'flaky' && attempt === 1) throw new Error('flaky, as planned');
    if (task.kind === 'deferring') await this.defer(task, context);
    if (task.kind === 'transactional') {
      try {
        await context.manager.query(
          'INSERT INTO effect (execution_id, task, run) VALUES ($1, $2, $3)',
          [executionId, task.name, run],
        );
      } catch (error) {
        this.note({ what: 'threw', ...entry, ...counts, at: Date.now() });
        throw error;
      }
    }
    if (handlerMs > 0) await delay(handlerMs);
    this.note({ what: 'ended', ...entry, ...counts, at: Date.now() });
    this.die('end');
    return {
      [task.name]: {
        sum,
        run,
        ...(padding === undefined ? {} : { padding: randomUUID().repeat(Math.ceil(padding / 36)) }),
      },
    };
  }

  private note(entry: Entry): void {
    appendFileSync(path.join(this.settings.folder, 'handlers.log'), `${JSON.stringify(entry)}\n`);
  }

  private die(at: 'begin' | 'end'): void {
    if (this.killIn === at) process.kill(process.pid, 'SIGKILL');
  }

  /** It goes on though its signal aborts, as handlers do. */
  private async gate(task: string): Promise<void> {
    const { folder, name } = this.settings;
    while (!existsSync(gateFile(folder, task)) && !existsSync(gateFile(folder, task, name))) {
      await delay(10);
    }
  }

  private async defer(task: PlannedTask, context: TaskContext): Promise<void> {
    const file = `deferred-${context.executionId}-${task.name}`;
    const marker = path.join(this.settings.folder, file);
    await context.deferUntil(
      () => {
        if (existsSync(marker)) return true;
        writeFileSync(marker, '');
        return false;
      },
      { every: 100 },
    );
  }
}
