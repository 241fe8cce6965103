import { setTimeout as delay } from 'node:timers/promises';
import { startChild, type TestChild } from '../../support/child-process.js';
import type { OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { heldBy, isSilent } from './audit.js';
import type { Control } from './controls.js';
import { KEYS, limited, MILLION } from './limited.js';
import type { LimitedWorkerSettings } from './limited-worker.js';

const SCRIPT = new URL('limited-worker.ts', import.meta.url);
/** Unfinished executions below which more are started, and how many. */
const FEW = MILLION ? 3_000 : 300;
const BATCH = MILLION ? 500 : 60;
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

  /**
   * Starts executions while few are unfinished, until `stopFeeding`. Some overtake those that wait, so that tasks are claimed
   * which are younger than the snapshots of claims under way.
   */
  async feed(): Promise<void> {
    while (this.isFeeding) {
      if ((await this.unfinished()) < FEW) await this.startSome();
      else await delay(5);
    }
  }

  stopFeeding(): void {
    this.isFeeding = false;
  }

  async unfinished(): Promise<number> {
    const [row] = await this.client.query<{ n: string }>(
      `SELECT count(*) AS n FROM cloacina_workflow_execution WHERE status IN ('Pending', 'Running') AND status <> 'Completed'`,
    );
    return Number(row?.n);
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

  private async startSome(): Promise<void> {
    const { runner } = this.client;
    await Promise.all(
      Array.from({ length: BATCH }, () => {
        const n = this.started++;
        const ms = n % 10 === 0 ? LONG_MS : MILLION ? 0 : 1 + (n % 8);
        return runner.start(
          limited,
          { key: `key ${n % KEYS}`, ms },
          { priority: n % 4 === 0 ? 50 : 0 },
        );
      }),
    );
  }
}

function applicationOf(child: TestChild): string | undefined {
  const ready = (child.messages as Ready[]).find(({ kind }) => kind === 'ready');
  return child.running ? ready?.application : undefined;
}
