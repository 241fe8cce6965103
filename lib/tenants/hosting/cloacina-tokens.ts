import { definedSignal } from '../../discovery/message-definitions.js';
import {
  isSigned,
  readToken,
  type SignalTokenContent,
} from '../../engine/messages/signal-token.js';
import { InvalidTokenError, NotAllowedError, TokenExpiredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { TenantManager } from './tenant-manager.js';

/** The execution to which a token has sent its signal. */
export interface CompletedToken {
  /** The tenant's name. */
  readonly tenant: string;
  /** The id of the execution. */
  readonly executionId: string;
}

export interface TokensParts {
  readonly host: Pick<TenantManager, 'has' | 'find'>;
  /** The secrets of forRoot, for a tenant that this process does not serve. */
  readonly secrets: readonly string[];
  readonly clock: Pick<Clock, 'wallTime'>;
}

/**
 * Sends signals by tokens that `context.signalToken()` has made, for callers that know neither the tenant nor the execution:
 * the link in a mail, or the callback of a provider.
 *
 * Injectable in every module of an application that imports `CloacinaModule` in any form.
 *
 * @example
 * ```ts
 * @Post('callbacks/:token')
 * async callback(@Param('token') token: string, @Body() body: unknown): Promise<void> {
 *   await this.tokens.complete(token, body);
 * }
 * ```
 */
export class CloacinaTokens {
  readonly #parts: TokensParts;

  /** @internal Applications get it by injection. */
  constructor(parts: TokensParts) {
    this.#parts = parts;
  }

  /**
   * Sends the token's signal with a payload, which the schema of the signal checks. A token sends one signal: a second call
   * changes nothing and returns the same.
   *
   * @throws InvalidTokenError for a token that was not signed with `signalSecret`, or whose tenant this process does not
   *   serve
   * @throws TokenExpiredError
   * @throws NotAllowedError if this process has not loaded the file that defines the signal
   * @throws InvalidContextError, ContextTooLargeError for the payload
   * @throws InvalidTransitionError if the execution has ended without this signal
   * @throws UnknownExecutionError if the execution was deleted
   * @throws DatabaseUnavailableError as `runner.signal()`
   */
  async complete(token: string, payload: unknown): Promise<CompletedToken> {
    const { host } = this.#parts;
    const { tenant, executionId, signal: name, nonce } = this.verified(token);
    const signal = definedSignal(name);
    if (signal === undefined) {
      throw new NotAllowedError(
        `Completing a token of the signal ${JSON.stringify(name)}`,
        'this process has not defined the signal, so it cannot check the payload',
        'Import the file with its defineSignal().',
      );
    }
    const { runner } = host.find(tenant).tenant;
    await runner.signal(executionId, signal, payload, { idempotencyKey: `token ${nonce}` });
    return { tenant, executionId };
  }

  /** The signature is compared before anything that the token says is used, but for the tenant, which has the secrets. */
  private verified(token: string): SignalTokenContent {
    const { host, clock, secrets } = this.#parts;
    const content = readToken(token);
    if (content === undefined) throw new InvalidTokenError();
    const isServed = host.has(content.tenant);
    const own = isServed ? host.find(content.tenant).engine.settings.signalSecrets : secrets;
    // The comparison is made for unknown tenants too, so that its time does not tell which tenants there are.
    if (!isSigned(token, own) || !isServed) throw new InvalidTokenError();
    if (content.expiresAt <= clock.wallTime())
      throw new TokenExpiredError(new Date(content.expiresAt));
    return content;
  }
}
