import { afterEach, beforeEach } from '@jest/globals';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase } from '../../../lib/testing/memory-store/index.js';
import type { ScheduleInfo } from '../../../lib/workflow/schedule/index.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const START = Date.parse('2030-01-01T00:00:00Z');

/** Processes that run a workflow of one task, which a test starts by schedules, on a clock that stands still. */
export class ScheduleScene {
  clock!: ManualClock;
  database!: MemoryDatabase;
  /** The firings whose executions have begun. */
  ran: ScheduleInfo[] = [];
  /** What the task does. */
  work: (context: TaskContext) => unknown = () => undefined;
  /** A handler that ends only with the test. */
  forever: Promise<void> = Promise.resolve();
  open: MemoryProcess[] = [];
  private release: () => void = () => undefined;
  private workflow!: RegisteredWorkflow;

  begin(): void {
    this.startsAt(new Date(START));
    this.ran = [];
    this.work = () => undefined;
    this.open = [];
    this.forever = new Promise((resolve) => (this.release = resolve));
    this.workflow = registered([{ name: 'a', retry: { maxAttempts: 1 } }], {
      handlers: {
        a: {
          run: (context) => {
            if (context.schedule !== undefined) this.ran.push(context.schedule);
            return this.work(context);
          },
        },
      },
    });
  }

  async end(): Promise<void> {
    this.release();
    for (const process of this.open) await process.close();
  }

  /** Begins again at another time, before a process is booted. */
  startsAt(time: Date): void {
    this.clock = new ManualClock({ startsAt: time });
    this.database = new MemoryDatabase(this.clock);
  }

  /** @param declared - the schedules of the code */
  readonly boot = async (declared?: RegisteredWorkflow['schedules']): Promise<MemoryProcess> => {
    const { workflow, clock, database } = this;
    const own = declared === undefined ? workflow : { ...workflow, schedules: declared };
    const process = new MemoryProcess(clock, own, { database });
    this.open.push(process);
    await process.open();
    return process;
  };

  readonly stop = async (process: MemoryProcess): Promise<void> => {
    this.open = this.open.filter((one) => one !== process);
    await process.close();
  };

  readonly times = (): string[] => this.ran.map(({ scheduledAt }) => scheduledAt.toISOString());

  /** Of schedule `s`, the latest first. */
  readonly outcomes = async (process: MemoryProcess): Promise<string[]> =>
    (await process.runner.schedules.firings('s', { limit: 500 })).map(({ outcome }) => outcome);
}

/** A scene for each test of the file. */
export function sceneOfSchedules(): ScheduleScene {
  const scene = new ScheduleScene();
  beforeEach(() => scene.begin());
  afterEach(() => scene.end());
  return scene;
}
