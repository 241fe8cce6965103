import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from '@jest/globals';
import type { ResolvedTenantOptions } from '../../../lib/options/index.js';
import { startChild, type TestChild } from '../../support/child-process.js';
import {
  openTenants,
  prepareSchema,
  type OpenOptions,
  type OpenTenant,
} from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { holding, type Entry, type HoldingInput } from './holding.js';
import type { WorkerMessage, WorkerOrder, WorkerSettings } from './worker.js';

const SCRIPT = new URL('worker.ts', import.meta.url);
const folder = mkdtempSync(path.join(tmpdir(), 'cloacina-recovery-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let logs = 0;

/** Processes on one set of schemas, and what their handlers did. */
export class Workers {
  private readonly log = path.join(folder, `${++logs}.log`);
  private readonly inProcess: Entry[] = [];
  private started = 0;
  private readonly releases: (() => void)[] = [];

  constructor(
    private readonly schemas: readonly string[],
    private readonly options: Partial<ResolvedTenantOptions> = {},
  ) {
    writeFileSync(this.log, '');
  }

  /** The first of the schemas. */
  get schema(): string {
    return this.schemas[0] ?? '';
  }

  /** A process of its own, which claims by the time this resolves. */
  async child(options: Partial<ResolvedTenantOptions> = {}): Promise<Worker> {
    const settings: WorkerSettings = {
      schemas: this.schemas,
      log: this.log,
      name: `child ${++this.started}`,
      options: { ...this.options, ...options },
    };
    if (settings.options.databaseUrl === undefined) {
      for (const schema of this.schemas) await prepareSchema(schema);
    }
    const child = startChild(SCRIPT, { env: { WORKER: JSON.stringify(settings) } });
    await child.message<WorkerMessage>(({ kind }) => kind === 'ready');
    return new Worker(child, settings.name, this.schema);
  }

  /** What stands for a process within the test's own; one tenant for each schema. */
  here(options: OpenOptions = {}): Promise<OpenTenant[]> {
    const name = `here ${++this.started}`;
    const released = new Promise<void>((resolve) => this.releases.push(resolve));
    const definition = holding({
      note: (entry) => this.inProcess.push({ ...entry, by: name }),
      released,
      die: () => undefined,
    });
    return openTenants(
      [definition],
      this.schemas.map((schema) => ({
        schema,
        maxConcurrentTasks: 100,
        ...this.options,
        ...options,
      })),
    );
  }

  /** Lets the handlers of all that are `here` end. */
  release(): void {
    for (const release of this.releases) release();
  }

  entries(what?: Entry['what']): Entry[] {
    const lines = readFileSync(this.log, 'utf8').split('\n').slice(0, -1);
    const all = [...lines.map((line) => JSON.parse(line) as Entry), ...this.inProcess];
    return what === undefined ? all : all.filter((entry) => entry.what === what);
  }

  /** Waits until handlers have begun so many times in all. */
  async begun(count: number): Promise<Entry[]> {
    await waitFor(() => this.entries('begun').length >= count, { what: `${count} begins` });
    return this.entries('begun');
  }
}

export class Worker {
  constructor(
    readonly process: TestChild,
    readonly name: string,
    private readonly schema: string,
  ) {}

  order(order: WorkerOrder): void {
    this.process.send(order);
  }

  /** Starts executions in this process, and returns their ids. */
  async start(
    inputs: readonly HoldingInput[],
    schema: string = this.schema,
  ): Promise<readonly string[]> {
    const messages = this.process.messages as WorkerMessage[];
    const before = messages.filter(({ kind }) => kind === 'started').length;
    this.order({ start: inputs, schema });
    const message = await waitFor(() => messages.filter(({ kind }) => kind === 'started')[before], {
      what: 'the starts',
    });
    return message.ids ?? [];
  }

  /** Ends it as a deploy does. */
  async close(): Promise<void> {
    this.order({ close: true });
    await this.process.message<WorkerMessage>(({ kind }) => kind === 'closed');
    await this.process.exit;
  }
}

export function waits(count: number, prefix = 'task'): HoldingInput[] {
  return Array.from({ length: count }, (_, i) => ({ name: `${prefix} ${i}`, do: 'wait' as const }));
}

/** A task that holds until its process is lost, and then ends in another one. */
export const ONCE: readonly HoldingInput[] = [{ name: 'once', do: 'once' }];
