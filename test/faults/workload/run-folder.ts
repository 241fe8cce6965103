import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gateFile, type Entry } from './handler.js';

/** A start that its caller was told has failed. */
export interface Refusal {
  readonly name: string;
  readonly code?: unknown;
  readonly message: string;
}

/** Where the processes of a workload write down what they do. */
export class RunFolder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'cloacina-faults-'));

  /** Executions that `start` has confirmed: id to workflow. */
  accepted(): Map<string, string> {
    return new Map(this.lines('accepted.log').map((line) => line.split(' ') as [string, string]));
  }

  refused(): Refusal[] {
    return this.lines('refused.log').map((line) => JSON.parse(line) as Refusal);
  }

  entries(): Entry[] {
    return this.lines('handlers.log').map((line) => JSON.parse(line) as Entry);
  }

  /** Lets the gated handlers of a task go on: all of them, or those of one process. */
  openGate(task: string, worker?: string): void {
    writeFileSync(gateFile(this.path, task, worker), '');
  }

  shutGate(task: string, worker?: string): void {
    rmSync(gateFile(this.path, task, worker), { force: true });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  private lines(name: string): string[] {
    const file = path.join(this.path, name);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  }
}
