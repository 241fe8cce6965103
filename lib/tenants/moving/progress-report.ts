import { Logger } from '@nestjs/common';
import { messageWithoutSecrets } from '../../errors/index.js';
import type { MoveOptions, MovePhase, MoveProgress } from './move-options.js';
import type { MovedTable } from './moved-tables.js';

/** Minimum interval between two calls while rows are copied, in milliseconds. */
const EVERY_MS = 100;

/** Tells the caller how far a move is. */
export class ProgressReport {
  private phase: MovePhase = 'preparing';
  private done = 0;
  private total = 0;
  private totalBytes = 0;
  private bytesSent = 0;
  private toldAt = 0;

  constructor(private readonly onProgress: MoveOptions['onProgress']) {}

  get bytes(): number {
    return this.bytesSent;
  }

  /** Sets what there is to copy. */
  known(tables: readonly MovedTable[]): void {
    this.total = tables.length;
    this.totalBytes = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  enter(phase: MovePhase): void {
    this.phase = phase;
    this.tell();
  }

  sent(bytes: number): void {
    this.bytesSent += bytes;
    if (performance.now() - this.toldAt >= EVERY_MS) this.tell();
  }

  tableDone(): void {
    this.done++;
    this.tell();
  }

  private tell(): void {
    this.toldAt = performance.now();
    const progress: MoveProgress = {
      phase: this.phase,
      tables: { done: this.done, total: this.total },
      bytes: this.bytesSent,
      totalBytes: this.totalBytes,
    };
    try {
      // Typed to return nothing, but an async function is assignable too.
      const returned: unknown = this.onProgress?.(progress);
      if (returned instanceof Promise) returned.catch(complain);
    } catch (error) {
      complain(error);
    }
  }
}

function complain(error: unknown): void {
  new Logger('CloacinaAdmin').warn(`onProgress failed: ${messageWithoutSecrets(error)}`);
}
