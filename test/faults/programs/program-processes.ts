import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startChild, type TestChild } from '../../support/child-process.js';
import { LOG, type Note } from './program-handlers.js';
import type { ProgramWorkerOrder, ProgramWorkerSettings, Sent } from './program-worker.js';
import type { Sending } from './send.js';

const SCRIPT = new URL('program-worker.ts', import.meta.url);

/** The processes that run the programs, and what their handlers have written down. */
export class ProgramProcesses {
  readonly all: TestChild[] = [];
  /** Names of those that were stopped for longer than their lease. */
  readonly zombies = new Set<string>();
  private readonly folder = mkdtempSync(path.join(tmpdir(), 'cloacina-programs-'));
  private readonly names = new Map<TestChild, string>();
  private orders = 0;

  constructor(private readonly settings: Omit<ProgramWorkerSettings, 'name' | 'folder'>) {}

  get living(): TestChild[] {
    return this.all.filter(({ running }) => running);
  }

  async start(more: Partial<ProgramWorkerSettings> = {}): Promise<TestChild> {
    const { folder } = this;
    const name = `worker ${this.names.size + 1}`;
    const settings: ProgramWorkerSettings = { ...this.settings, name, folder, ...more };
    const child = startChild(SCRIPT, { env: { PROGRAMS: JSON.stringify(settings) } });
    this.names.set(child, name);
    await child.message<{ kind: string }>(({ kind }) => kind === 'ready', 60_000);
    this.all.push(child);
    return child;
  }

  /** Starts several at once. */
  async startAll(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.start()));
  }

  /** Stops a process for so long, and lets it go on. */
  async hang(child: TestChild, ms: number): Promise<void> {
    this.zombies.add(this.names.get(child) ?? '');
    child.signal('SIGSTOP');
    await delay(ms);
    child.signal('SIGCONT');
  }

  /** Has a process send a message. Undefined if it was killed before it could tell. */
  async send(child: TestChild, sending: Sending): Promise<Sent | undefined> {
    const no = ++this.orders;
    child.send({ kind: 'send', no, sending } satisfies ProgramWorkerOrder);
    for (;;) {
      const sent = (child.messages as Sent[]).find(
        (each) => each.kind === 'sent' && each.no === no,
      );
      if (sent !== undefined || !child.running) return sent;
      await delay(10);
    }
  }

  /** Ends all in good order. */
  async close(): Promise<void> {
    await Promise.all(
      this.living.map(async (child) => {
        child.send({ kind: 'close' } satisfies ProgramWorkerOrder);
        await child.exit;
      }),
    );
  }

  notes(): Note[] {
    const file = path.join(this.folder, LOG);
    if (!existsSync(file)) return [];
    // The last line of a process that was killed may lack its end.
    return readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Note);
  }

  /** What they have printed, for the message of a failure. */
  told(): string {
    return this.all.map(({ output, pid }) => `--- ${pid}\n${output.slice(-3_000)}`).join('\n');
  }

  async remove(): Promise<void> {
    await Promise.all(this.living.map((child) => child.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
