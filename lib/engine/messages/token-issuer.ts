import { InvalidArgumentError, NotAllowedError } from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import { DURATION_FORM, isMessageRef, parseDuration } from '../../workflow/index.js';
import type { Clock } from '../../runtime/clock.js';
import { newNonce, signToken } from './signal-token.js';

const OPTIONS: ReadonlySet<string> = new Set(['expiresIn']);

/** Signs the tokens of one tenant, with the first of its secrets. */
export class TokenIssuer {
  readonly #secrets: readonly string[];

  constructor(
    private readonly tenant: string,
    private readonly clock: Clock,
    secrets: readonly string[],
  ) {
    this.#secrets = secrets;
  }

  /** `context.signalToken(signal, { expiresIn })`, with its arguments checked. */
  issue(executionId: string, signal: unknown, options: unknown): string {
    const [secret] = this.#secrets;
    if (secret === undefined) {
      throw new NotAllowedError(
        'context.signalToken()',
        'the application has no secret to sign tokens with',
        'Set signalSecret in CloacinaModule.forRoot().',
      );
    }
    if (!isMessageRef(signal, 'signal')) {
      throw new InvalidArgumentError(
        'signalToken()',
        `needs a result of defineSignal(), not ${formatValue(signal)}`,
      );
    }
    checkCallOptions('signalToken()', options ?? {}, OPTIONS);
    const expiresIn = (options as { readonly expiresIn?: unknown } | undefined)?.expiresIn;
    const ms = parseDuration(expiresIn);
    if (ms === undefined) {
      throw new InvalidArgumentError(
        'expiresIn',
        `must be ${DURATION_FORM}, not ${formatValue(expiresIn)}`,
      );
    }
    const expiresAt = Math.floor(this.clock.wallTime() + ms);
    const content = { tenant: this.tenant, executionId, signal: signal.name, expiresAt };
    return signToken({ ...content, nonce: newNonce(this.clock) }, secret);
  }
}
