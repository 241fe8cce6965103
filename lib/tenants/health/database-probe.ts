import { messageWithoutSecrets } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';

/** How long an answer counts, in milliseconds. */
const FRESH_MS = 1_000;

/** The answer of a database, or that there was none. */
export interface ProbeResult {
  readonly latencyMs?: number;
  readonly error?: string;
}

/**
 * Asks one database whether it answers, with one statement a second at most, however many callers ask. A statement without
 * an answer is waited for by all later callers, each for its own timeout, so a silent network never has more than one.
 */
export class DatabaseProbe {
  private answered: { readonly at: number; readonly result: ProbeResult } | undefined;
  private asking: Promise<ProbeResult> | undefined;

  constructor(
    private readonly clock: Clock,
    /** Sends a cheap statement. */
    private readonly ping: () => Promise<unknown>,
  ) {}

  /** Never rejects, and never takes longer than the timeout. */
  async check(timeoutMs: number): Promise<ProbeResult> {
    const { answered } = this;
    if (answered !== undefined && this.clock.now() - answered.at < FRESH_MS) return answered.result;
    this.asking ??= this.ask();
    const over = new AbortController();
    const late = this.clock
      .sleep(timeoutMs, over.signal)
      .then((): ProbeResult => ({ error: `It has not answered within ${timeoutMs} ms.` }));
    const result = await Promise.race([this.asking, late]);
    over.abort();
    return result;
  }

  private async ask(): Promise<ProbeResult> {
    const askedAt = this.clock.now();
    const result = await this.ping().then(
      (): ProbeResult => ({ latencyMs: Math.round(this.clock.now() - askedAt) }),
      (error: unknown): ProbeResult => ({ error: messageWithoutSecrets(error) }),
    );
    this.answered = { at: this.clock.now(), result };
    this.asking = undefined;
    return result;
  }
}
