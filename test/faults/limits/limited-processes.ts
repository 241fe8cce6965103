import { setTimeout as delay } from 'node:timers/promises';
import { startChild, type TestChild } from '../../support/child-process.js';
import type { OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { heldBy, isSilent } from './audit.js';
import type { Control } from './controls.js';
import { KEYS, limited, MILLION, TOTAL } from './limited.js';
import type { LimitedWorkerSettings } from './limited-worker.js';

const SCRIPT = new URL('limited-worker.ts', import.meta.url);
/** Number of unfinished executions that wait. They are claimed when no fresh one is ready. */
const WAITING = MILLION ? 3_000 : 200;
/**
 * Number of unfinished executions that overtake those: nearly as many as there are slots. So each begins as soon as it is
 * started, and holds its slot during claims whose snapshots are older.
 */
const FRESH = TOTAL * 0.8;
const FRESH_PRIORITY = 50;
/** Every tenth handler is long, so that every process holds slots most of the time. */
const LONG_MS = MILLION ? 50 : 150;

interface Ready {
  readonly kind: 'ready';
  /** The `application_name` of its connections. */
  readonly application: string;
}

/** Processes that run limited tasks, of which some are killed, and the work that they have to do. */
export class LimitedProcesses {
  /** Number of slots that each killed process held. */
  readonly heldAtKill: number[] = [];
  started = 0;
  private readonly children: TestChild[] = [];
  private isFeeding = true;

  constructor(
    private readonly client: OpenTenant,
    private readonly control?: Control,
  ) {}

  /** Starts another process. It may be killed when it is ready. */
  add(): Promise<unknown> {
    const { control } = this;
    const settings: LimitedWorkerSettings = {
      schema: this.client.schema,
      ...(control === undefined ? {} : { control }),
    };
    const child = startChild(SCRIPT, { env: { LIMITED: JSON.stringify(settings) } });
    this.children.push(child);
    return child.message<Ready>(({ kind }) => kind === 'ready');
  }

  /** Starts an execution for each that has ended, until `stopFeeding`, so that fresh ones come steadily. */
  async feed(): Promise<void> {
    while (this.isFeeding) {
      const { waiting, fresh } = await this.countUnfinished();
      await Promise.all([
        this.startSome(WAITING - waiting, 0),
        this.startSome(FRESH - fresh, FRESH_PRIORITY),
        delay(2),
      ]);
    }
  }

  stopFeeding(): void {
    this.isFeeding = false;
  }

  async unfinished(): Promise<number> {
    const { waiting, fresh } = await this.countUnfinished();
    return waiting + fresh;
  }

  private async countUnfinished(): Promise<{ waiting: number; fresh: number }> {
    const [row] = await this.client.query<{ waiting: string; fresh: string }>(
      `SELECT count(*) FILTER (WHERE priority = 0) AS waiting, count(*) FILTER (WHERE priority > 0) AS fresh
       FROM cloacina_workflow_execution WHERE status IN ('Pending', 'Running') AND status <> 'Completed'`,
    );
    return { waiting: Number(row?.waiting), fresh: Number(row?.fresh) };
  }

  /**
   * Kills a process while it holds slots. It is stopped first, and looked at when the server executes nothing for it, so what it
   * holds then is what it dies with.
   */
  async killOne(): Promise<void> {
    const held = await waitFor(
      async () => {
        for (const child of this.children) {
          const application = applicationOf(child);
          if (application === undefined || (await heldBy(this.client, application)) === 0) continue;
          child.signal('SIGSTOP');
          await waitFor(() => isSilent(this.client, application));
          const count = await heldBy(this.client, application);
          if (count > 0) return { child, count };
          child.signal('SIGCONT');
        }
        return undefined;
      },
      { what: 'a process that holds slots' },
    );
    this.heldAtKill.push(held.count);
    this.children.splice(this.children.indexOf(held.child), 1);
    await held.child.kill();
  }

  /** Those of a control take longer, so that most slots are held when a claim takes one that is not free. */
  private shortMs(n: number): number {
    if (this.control !== undefined) return 10 + (n % 40);
    return MILLION ? 0 : 1 + (n % 8);
  }

  private async startSome(count: number, priority: number): Promise<void> {
    const { runner } = this.client;
    await Promise.all(
      Array.from({ length: Math.max(0, count) }, () => {
        const n = this.started++;
        const ms = n % 10 === 0 ? LONG_MS : this.shortMs(n);
        return runner.start(limited, { key: `key ${n % KEYS}`, ms }, { priority });
      }),
    );
  }
}

function applicationOf(child: TestChild): string | undefined {
  const ready = (child.messages as Ready[]).find(({ kind }) => kind === 'ready');
  return child.running ? ready?.application : undefined;
}
