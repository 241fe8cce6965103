import type { Clock, Timer } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type {
  AdmissionLook,
  AdmissionReply,
  AdmissionStore,
  AdmittedExecution,
  SupersededExecution,
} from '../../store/port/index.js';
import { ClaimFailures } from '../claims/claim-failures.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { EngineState } from '../engine-state.js';
import { DelayedKeys } from '../limits/delayed-keys.js';
import { KeyLap } from '../limits/key-lap.js';
import { AdmissionRules } from './admission-rules.js';
import { WaitingTurns } from './waiting-turns.js';

/** Max number of keys in one statement. */
const MAX_KEYS = 64;
/** Pause before a key is looked at again that another statement had locked, in milliseconds; up to twice as long. */
const LOCKED_MS = 3;
/** The same if a superseded execution could not be cancelled. */
const NOT_CANCELLED_MS = 100;

export interface ExecutionAdmitterParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly state: Pick<EngineState, 'mayClaim'>;
  readonly store: FailureClassifier & { readonly admissions: AdmissionStore };
  readonly catalog: Pick<DefinitionCatalog, 'admits' | 'currentOf' | 'toStart'>;
  /** Cancels an execution. Returns whether it has. */
  readonly cancel: (id: string, reason: string) => Promise<boolean>;
  /** Called when tasks of these executions have become due. */
  readonly admitted: (executions: readonly AdmittedExecution[]) => void;
}

/**
 * Admits executions that wait for a slot of their keys, one statement at a time. It claims nothing: the tasks of an admitted
 * execution are due, and the usual claims follow.
 *
 * **Nothing is missed.** A start that has to wait commits, and then looks. An end commits, and then looks. Each writes before
 * it looks, so at least one of them sees the other. All ends pass here, because every statement that ends an execution
 * returns the bits of `unsettled`. If the process dies before its look, the process that recovers its tasks, or the sweep,
 * looks for ends with the bit, and the sweep for executions that wait.
 *
 * A key is known from a start or from an end, and is looked at at once. Everything else begins a lap through the keys with
 * executions that wait, in processes that have the code of such workflows.
 *
 * States: idle, looking, or pausing after a failure. A call during a look adds to its work.
 */
export class ExecutionAdmitter {
  private readonly rules: AdmissionRules;
  private readonly turns: WaitingTurns;
  private readonly lap: KeyLap;
  private readonly delayed: DelayedKeys;
  private readonly failures: ClaimFailures;
  private retry: Timer | undefined;
  private work: Promise<void> | undefined;
  private isClosed = false;
  /** Whether executions wait for their turn that this process need not know by its definitions: those of schedules. */
  private haveWaited = false;

  constructor(private readonly parts: ExecutionAdmitterParts) {
    const { admissions } = parts.store;
    this.rules = new AdmissionRules(parts.catalog);
    this.turns = new WaitingTurns(admissions);
    this.lap = new KeyLap({
      dueKeys: (_definitions, after, count) => admissions.waitingKeys(after, count),
    });
    this.delayed = new DelayedKeys(parts.clock, (keys) => this.ready(keys));
    this.failures = new ClaimFailures(parts, 'executions that wait for their turn');
  }

  /** Whether executions may wait for a slot, as far as this process knows. */
  get admits(): boolean {
    return this.haveWaited || this.parts.catalog.admits;
  }

  get isBusy(): boolean {
    return this.work !== undefined;
  }

  /**
   * Looks at all keys with executions that wait. Does nothing in a process that has neither the code of such workflows, nor was
   * told of such executions.
   *
   * @param areWaiting - whether some are known to wait
   */
  look(areWaiting = false): void {
    if (areWaiting) this.haveWaited = true;
    if (!this.admits || !this.parts.state.mayClaim) return;
    this.lap.begin();
    this.run();
  }

  /** Call when executions of these keys wait, after they are stored. */
  ready(keys: readonly string[]): void {
    for (const key of keys) this.turns.add(key);
    this.run();
  }

  /** Call when an execution was started that has a key. */
  started(id: string, key: string): void {
    this.turns.remember(id, key);
  }

  /** Call when an execution with a key has ended, after that is stored. */
  ended(id: string): void {
    this.turns.addEnded(id);
    this.run();
  }

  async whenIdle(): Promise<void> {
    while (this.work !== undefined) await this.work;
  }

  close(): void {
    this.isClosed = true;
    this.delayed.close();
    this.retry?.cancel();
  }

  private run(): void {
    if (this.work !== undefined || this.retry !== undefined || this.isClosed) return;
    // Starts and outcomes of one batch each add their key; one statement looks at all of them.
    this.work = Promise.resolve()
      .then(() => this.lookAtAll())
      .finally(() => {
        this.work = undefined;
        // What came in after the last look, and before this.
        if (this.hasWork) this.run();
      });
  }

  private get hasWork(): boolean {
    return !this.turns.isEmpty || this.lap.isUnderWay;
  }

  private async lookAtAll(): Promise<void> {
    try {
      while (this.hasWork && !this.isClosed) await this.lookOnce();
      this.failures.succeeded();
    } catch (error) {
      this.failed(error);
    }
  }

  private async lookOnce(): Promise<void> {
    const looks = await this.take();
    if (looks.length === 0) return;
    try {
      this.follow(await this.parts.store.admissions.admit(looks));
    } catch (error) {
      for (const { key, ended } of looks) this.turns.add(key, ended);
      throw error;
    }
  }

  /** The looks of the next statement: at keys that are known, or else at the next ones of the lap. */
  private async take(): Promise<AdmissionLook[]> {
    const taken = this.turns.isEmpty ? await this.ofLap() : await this.turns.take(MAX_KEYS);
    const looks = await Promise.all(
      taken.map(async ([key, ended]) => {
        const rule = await this.rules.ruleOf(key);
        return rule === undefined ? [] : [{ key, ended, ...rule }];
      }),
    );
    return looks.flat();
  }

  private async ofLap(): Promise<(readonly [key: string, ended: string[]])[]> {
    const keys = await this.lap.next([], MAX_KEYS);
    return keys.filter((key) => this.rules.isServed(key)).map((key) => [key, []]);
  }

  private follow({ admitted, superseded, keys }: AdmissionReply): void {
    const { clock } = this.parts;
    for (const { id, key } of admitted) this.turns.remember(id, key);
    if (admitted.length > 0) this.parts.admitted(admitted);
    const blocked = new Set(superseded.map(({ key }) => key));
    for (const { key, fate, tokenInMs } of keys) {
      if (fate === 'locked') this.delayed.add(key, LOCKED_MS * (1 + clock.random()));
      // One millisecond late: the database's clock decides when the token is there.
      else if (tokenInMs !== null) this.delayed.add(key, tokenInMs + 1);
      else if (fate === 'more' && !blocked.has(key)) this.turns.add(key);
    }
    if (superseded.length > 0) void this.cancelAll(superseded);
  }

  /** Cancels superseded executions, and then looks at their keys again. */
  private async cancelAll(superseded: readonly SupersededExecution[]): Promise<void> {
    const left = new Set<string>();
    await Promise.all(
      superseded.map(async ({ id, key, newer }) => {
        const reason = `Execution ${newer} takes its place.`;
        const isCancelled = await this.parts.cancel(id, reason).catch(() => false);
        if (!isCancelled) left.add(key);
      }),
    );
    const keys = new Set(superseded.map(({ key }) => key));
    this.ready([...keys].filter((key) => !left.has(key)));
    for (const key of left) this.delayed.add(key, NOT_CANCELLED_MS);
  }

  private failed(error: unknown): void {
    const pauseMs = this.failures.failed(error);
    if (this.admits) this.lap.begin();
    if (this.isClosed) return;
    this.retry = this.parts.clock.timer(() => {
      this.retry = undefined;
      this.run();
    }, pauseMs);
  }
}
