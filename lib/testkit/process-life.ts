import { Logger } from '@nestjs/common';
import { systemClock } from '../runtime/clock.js';
import { NotAllowedError } from '../errors/index.js';
import type { ClockOwner } from './test-clock.js';

/** Turns of the event loop without any work after which a process counts as idle. */
const QUIET_TURNS = 3;
/** How long one statement may take before time continues without it, in milliseconds of real time. */
const CALL_MS = 30_000;

/** A handler that runs. */
interface RunningHandler {
  readonly name: string;
  /** By the system's clock. */
  readonly since: number;
  isLeft: boolean;
}

/** A promise that never settles: the answer to what a process that was killed has asked for. */
const NEVER = new Promise<never>(() => undefined);

/** One process of a test, from its boot to its crash or close: its work under way, and whether it still lives. */
export class ProcessLife implements ClockOwner {
  isDead = false;
  private readonly logger = new Logger('CloacinaTesting');
  private readonly handlers = new Set<RunningHandler>();
  private readonly changed = new Set<() => void>();
  private readonly working = new Set<object>();
  private changes = 0;

  /**
   * @param handlerWaitMs - how long time waits for a handler, in milliseconds of real time
   * @param onChange - called when something ends
   */
  constructor(
    private readonly handlerWaitMs: number,
    private readonly onChange: () => void,
  ) {}

  kill(): void {
    this.isDead = true;
    this.handlers.clear();
    this.tell();
  }

  /** @throws NotAllowedError once the process is dead, which ends what its handlers do */
  assertAlive(): void {
    if (this.isDead) throw crashed('Going on');
  }

  begin(): () => void {
    const work = {};
    this.working.add(work);
    return () => {
      this.working.delete(work);
      this.tell();
    };
  }

  /** Sends a call to the store. A process that was killed gets no answer, and sends nothing more. */
  call(work: () => unknown): unknown {
    if (this.isDead) return NEVER;
    const result = work();
    if (!(result instanceof Promise)) return result;
    const end = this.begin();
    return result.then(
      (value: unknown) => {
        end();
        return this.isDead ? NEVER : value;
      },
      (error: unknown) => {
        end();
        if (this.isDead) return NEVER;
        throw error;
      },
    );
  }

  /** Follows a transaction, but not the work in it: that takes as long as its handler, which is followed itself. */
  around<T>(
    work: (transaction: T) => Promise<unknown>,
    run: (counted: (transaction: T) => Promise<unknown>) => unknown,
  ): unknown {
    if (this.isDead) return NEVER;
    let end = this.begin();
    const counted = async (transaction: T): Promise<unknown> => {
      end();
      try {
        return await work(transaction);
      } finally {
        end = this.begin();
      }
    };
    return Promise.resolve(run(counted)).finally(() => end());
  }

  /** Follows a handler while it runs. */
  async handling<T>(name: string, work: () => Promise<T>): Promise<T> {
    const handler: RunningHandler = { name, since: systemClock.now(), isLeft: false };
    this.handlers.add(handler);
    try {
      return await work();
    } finally {
      this.handlers.delete(handler);
      this.tell();
    }
  }

  /** Resolves when the process has nothing to do at this time: no statement is under way, and no handler runs. */
  async idle(): Promise<void> {
    for (let quiet = 0, seen = -1; quiet < QUIET_TURNS && !this.isDead;) {
      await new Promise<void>((resolve) => systemClock.immediate(resolve));
      if (this.working.size > 0) await this.change(CALL_MS, 'statements under way');
      else if (!this.leaveLate()) await this.change(this.handlerWaitMs);
      else quiet = this.changes === seen ? quiet + 1 : 0;
      seen = this.changes;
    }
  }

  /** Leaves the handlers that have run for too long, and returns whether no other handler runs. */
  private leaveLate(): boolean {
    let isAlone = true;
    for (const handler of this.handlers) {
      if (handler.isLeft) continue;
      if (systemClock.now() - handler.since < this.handlerWaitMs) {
        isAlone = false;
        continue;
      }
      handler.isLeft = true;
      this.logger.warn(
        `The handler ${handler.name} still runs after ${this.handlerWaitMs} ms. The test's time goes on without it; see the ` +
          'option handlerWait.',
      );
    }
    return isAlone;
  }

  /** Waits until something ends, at most for `ms` of real time. */
  private async change(ms: number, what?: string): Promise<void> {
    if (this.working.size === 0 && this.handlers.size === 0) return;
    let timer: { cancel(): void } | undefined;
    let resolveNow: () => void = () => undefined;
    const isLate = await new Promise<boolean>((resolve) => {
      resolveNow = () => resolve(false);
      this.changed.add(resolveNow);
      timer = systemClock.timer(() => resolve(true), ms);
    });
    timer?.cancel();
    this.changed.delete(resolveNow);
    if (!isLate || what === undefined) return;
    this.logger.warn(`After ${ms} ms there are still ${what}. The test's time goes on.`);
    this.working.clear();
  }

  private tell(): void {
    this.changes++;
    for (const resolve of this.changed) resolve();
    if (!this.isDead) this.onChange();
  }
}

export function crashed(action: string): NotAllowedError {
  return new NotAllowedError(
    action,
    'the process of the test has crashed',
    'Call restart() of the testing tenant first.',
  );
}
