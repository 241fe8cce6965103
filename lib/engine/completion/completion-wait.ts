import { isExecutionEnded, type ExecutionStatus } from '../../workflow/index.js';

/** What a wait needs to find out whether its execution has ended. */
export interface WaitSurroundings {
  /** Whether this process holds claims in the execution. If so, it will learn of the end without reading. */
  readonly isActive: (id: string) => boolean;
  /** Reads the status, and has the database notify this process of the end. Undefined if the execution does not exist. */
  readonly statusOf: (id: string) => Promise<string | undefined>;
  readonly now: () => number;
}

/** How long a wait relies on notifications before its next read, in milliseconds: at first, and later. */
const FIRST_LOOK_MS = 1_000;
const LATER_LOOKS_MS = 5_000;

/**
 * One caller that waits for one execution, until the end is signalled or read, or the wait is cancelled. There may be ten
 * thousand waits, so none has a timer or an event listener: the waiters go through all of them.
 */
export class CompletionWait {
  /** Resolves with true when the execution has ended, or false if it does not exist. Rejects when the wait is cancelled. */
  readonly ended: Promise<boolean>;
  private settle!: (exists: boolean) => void;
  private fail!: (error: unknown) => void;
  private isOver = false;
  private isLooking = false;
  /** `look()` was called during a read, whose result may be older than the reason for the call. */
  private again = false;
  private lookAt: number;

  /** @param isStored - false for an execution whose start is under way: until {@link stored}, the database may not have it */
  constructor(
    readonly id: string,
    private isStored: boolean,
    private readonly surroundings: WaitSurroundings,
    private readonly onOver: (wait: CompletionWait) => void,
  ) {
    this.ended = new Promise((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
    });
    // A wait may be cancelled before its caller awaits it.
    this.ended.catch(() => undefined);
    this.lookAt = surroundings.now() + FIRST_LOOK_MS;
  }

  /** The end was signalled; the caller reads the execution. */
  tellEnded(): void {
    this.over(() => this.settle(true));
  }

  /** Call when the start of the execution was answered. */
  stored(): void {
    this.isStored = true;
    this.look();
  }

  /** Reads the status, unless this process holds claims in the execution. */
  look(): void {
    if (this.isOver || !this.isStored || this.surroundings.isActive(this.id)) return;
    if (this.isLooking) this.again = true;
    else void this.ask();
  }

  /** Reads the status if the last signal or read was long ago. */
  lookIfDue(now: number): void {
    if (now < this.lookAt) return;
    this.lookAt = now + LATER_LOOKS_MS;
    this.look();
  }

  cancel(error: unknown): void {
    this.over(() => this.fail(error));
  }

  private async ask(): Promise<void> {
    this.isLooking = true;
    try {
      do {
        this.again = false;
        const status = await this.surroundings.statusOf(this.id);
        if (status === undefined) this.over(() => this.settle(false));
        else if (isExecutionEnded(status as ExecutionStatus)) this.tellEnded();
      } while (this.again && !this.isOver);
    } catch (error) {
      this.cancel(error);
    } finally {
      this.isLooking = false;
    }
  }

  private over(settle: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    settle();
    this.onOver(this);
  }
}
