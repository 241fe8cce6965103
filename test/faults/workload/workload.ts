import pg from 'pg';
import { startChild, type TestChild } from '../../support/child-process.js';
import { repeatDeadlocks } from '../../support/repeat-deadlocks.js';
import { waitFor } from '../../support/wait-for.js';
import { exitsOf, installAudit, readAudit } from './audit.js';
import { violationsOf } from './check.js';
import type { Failpoint } from './failpoints.js';
import { planWorkflows, type PlannedWorkflow } from './plan.js';
import type { Entry } from './handler.js';
import { RunFolder } from './run-folder.js';
import type { ServedPlace, WorkerOrder, WorkerSettings } from './worker.js';

export interface WorkloadOptions {
  readonly url: string;
  readonly schema: string;
  readonly seed: number;
  readonly workflows?: number;
  readonly handlerMs?: number;
  readonly leaseDurationMs?: number;
  readonly maxConcurrentTasks?: number;
  readonly poolSize?: number;
  readonly withoutFence?: boolean;
  /** Past faults of the network; default: `url`. */
  readonly directUrl?: () => string;
  readonly plans?: readonly PlannedWorkflow[];
  /** The name of the server, among several of one process. */
  readonly server?: string;
}

/** Child processes that work on random workflows, and the check of what came of it. */
export class Workload {
  readonly folder = new RunFolder();
  readonly plans: readonly PlannedWorkflow[];
  readonly workers: TestChild[] = [];
  /** What the database has lost by going back in time: set by the test that made it. */
  readonly forgotten = { executions: new Set<string>(), before: 0 };
  /** Orders to start that each process was given. */
  private readonly ordered = new Map<TestChild, number>();
  private names = 0;
  private prepared: Promise<unknown> | undefined;

  constructor(private readonly options: WorkloadOptions) {
    this.plans = options.plans ?? planWorkflows(options.seed, options.workflows ?? 4);
  }

  /** Its tenant, for a process that serves several. */
  get place(): ServedPlace {
    const { url, schema, server } = this.options;
    return { url, schema, folder: this.folder.path, ...(server === undefined ? {} : { server }) };
  }

  async worker(more: Partial<WorkerSettings> = {}): Promise<TestChild> {
    const settings: WorkerSettings = {
      ...this.place,
      name: `worker ${++this.names}`,
      plans: this.plans,
      handlerMs: this.options.handlerMs ?? 5,
      leaseDurationMs: this.options.leaseDurationMs ?? 30_000,
      maxConcurrentTasks: this.options.maxConcurrentTasks ?? 20,
      poolSize: this.options.poolSize ?? 6,
      withoutFence: this.options.withoutFence ?? false,
      ...more,
    };
    const env = { WORKLOAD: JSON.stringify(settings) };
    const child = startChild(new URL('worker.ts', import.meta.url), { env });
    await this.adopt(child);
    return child;
  }

  /** Uses a process of another workload, which serves the tenant of this one too. */
  async adopt(child: TestChild): Promise<void> {
    this.workers.push(child);
    await child.message<{ kind: string }>(({ kind }) => kind === 'ready', 60_000);
    await (this.prepared ??= this.prepare());
  }

  /** The table that transactional tasks write to, and the log of claims, in the tenant's schema. */
  async prepare(): Promise<void> {
    await this.query('CREATE TABLE effect (execution_id uuid, task text, run uuid)');
    await installAudit((text) => this.query(text));
  }

  /** How often claims ended otherwise than with their task, by kind. */
  async exits(): Promise<Record<string, number>> {
    return exitsOf(await readAudit((text) => this.query(text)));
  }

  order(child: TestChild, order: WorkerOrder): void {
    if (order.kind === 'start') this.ordered.set(child, (this.ordered.get(child) ?? 0) + 1);
    child.send(order);
  }

  async arm(child: TestChild, failpoint: Failpoint): Promise<void> {
    this.order(child, { kind: 'arm', failpoint });
    await child.message<{ kind: string }>(({ kind }) => kind === 'armed');
  }

  /** Starts so many of each workflow there; resolves when it was told to, not when they have started. */
  start(child: TestChild, count: number): void {
    const { schema } = this.options;
    for (const { name } of this.plans)
      this.order(child, { kind: 'start', workflow: name, count, schema });
  }

  /** As above, and waits until each that it was told to start so far has been accepted or refused. */
  async started(child: TestChild, count: number): Promise<void> {
    this.start(child, count);
    await waitFor(() => this.hasStarted(child), {
      deadline: 60_000,
      what: 'the starts',
    });
  }

  /** Whether each start that it was told of has been accepted or refused. */
  private hasStarted(child: TestChild): boolean {
    const messages = child.messages as { kind: string; schema?: string }[];
    const told = messages.filter(
      ({ kind, schema }) => kind === 'started' && schema === this.options.schema,
    ).length;
    return told >= (this.ordered.get(child) ?? 0);
  }

  accepted(): Map<string, string> {
    return this.folder.accepted();
  }

  entries(): Entry[] {
    return this.folder.entries();
  }

  async begun(count: number): Promise<void> {
    await waitFor(() => this.entries().filter(({ what }) => what === 'begun').length >= count, {
      deadline: 20_000,
      what: `${count} begins`,
    });
  }

  /**
   * Waits until nothing is left to do; says how many executions have ended. A start that a process was told of and has not
   * made yet is left to do: an execution that it stores after the last look would be given back by the close.
   */
  async settle(deadline = 60_000): Promise<number> {
    const lost = this.forgotten.executions.size;
    let open = 'nothing known';
    try {
      await waitFor(
        async () => {
          const hadStarted = this.workers.every(
            (child) => !child.running || this.hasStarted(child),
          );
          const [row] = await this.query<{ open: number; known: number }>(
            `SELECT (count(*) FILTER (WHERE completed_at IS NULL))::integer AS open, count(*)::integer AS known
             FROM cloacina_workflow_execution`,
          );
          open = JSON.stringify(row);
          if (!hadStarted) return false;
          return row?.open === 0 && row.known >= this.accepted().size - lost;
        },
        { deadline, every: 100 },
      );
    } catch (error) {
      throw new Error(`Not all executions end: ${open}`, { cause: error });
    }
    const [row] = await this.query<{ count: number }>(
      'SELECT count(*)::integer AS count FROM cloacina_workflow_execution',
    );
    return row?.count ?? 0;
  }

  /** Ends what still runs in good order, and checks what came of it all. */
  async violations(): Promise<string[]> {
    await this.deadLeasesEnded();
    const living = this.workers.filter((child) => child.running);
    const left = await Promise.all(living.map((child) => this.close(child)));
    const url = this.options.directUrl?.() ?? this.options.url;
    const { schema } = this.options;
    const violations = await violationsOf({
      url,
      schema,
      plans: this.plans,
      accepted: this.accepted(),
      entries: this.entries(),
      forgotten: this.forgotten,
    });
    return [...violations, ...left.flat()];
  }

  /**
   * Waits until the living have ended the leases of the dead, which takes them a second look at the locks. A lease that
   * stays is told by the check.
   */
  async deadLeasesEnded(): Promise<void> {
    const living = this.workers.filter((child) => child.running);
    if (living.length === 0) return;
    const pids = living.map(({ pid }) => `%:${pid}`);
    await waitFor(
      async () => {
        const dead = await this.query(
          'SELECT FROM cloacina_runner_lease WHERE NOT name LIKE ANY ($1::text[])',
          [pids],
        );
        return dead.length === 0;
      },
      { deadline: 20_000, every: 50 },
    ).catch(() => undefined);
  }

  /** Ends it in good order; what is left of it then, in sentences. */
  private async close(child: TestChild): Promise<string[]> {
    this.order(child, { kind: 'close' });
    const { code, signal } = await child.exit;
    if (code !== 0) return [`Process ${child.pid} ended with ${code ?? signal}: ${child.output}`];
    const closed = (child.messages as { kind: string; left?: string[] }[]).find(
      ({ kind }) => kind === 'closed',
    );
    return (closed?.left ?? ['no last word']).map((kind) => `${kind} left in ${child.pid}`);
  }

  async query<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const client = await this.connect();
    try {
      await client.query(`SET search_path TO ${client.escapeIdentifier(this.options.schema)}`);
      return (await repeatDeadlocks(() => client.query<R>(text, [...values]))).rows;
    } finally {
      await client.end();
    }
  }

  /** The server may be recovering from a fault. */
  private connect(): Promise<pg.Client> {
    return waitFor(
      async () => {
        const connectionString = this.options.directUrl?.() ?? this.options.url;
        const client = new pg.Client({ connectionString, application_name: 'workload' });
        client.on('error', () => undefined);
        await client.connect();
        return client;
      },
      { deadline: 30_000, what: 'the server', every: 50 },
    );
  }

  remove(): void {
    this.folder.remove();
  }
}
