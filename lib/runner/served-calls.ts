import { TenantRemovedError, withoutDriver } from '../errors/index.js';
import type { Gate } from './runner-parts.js';

/** The calls of a runner, which fail with a TenantRemovedError once this process no longer serves the tenant. */
export class ServedCalls {
  private readonly closing = new AbortController();

  constructor(
    private readonly tenant: string,
    /** What calls have to wait for. Absent if there is never anything. */
    private readonly gate?: Gate,
  ) {}

  /** Runs a call. It fails too if the tenant is closed before it ends. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.assertServed();
    try {
      const wait = this.gate?.();
      // Without the condition, calls of all tenants would begin a turn of the event loop later.
      if (wait !== undefined) await wait(this.closing.signal);
      return await call();
    } catch (error) {
      this.assertServed();
      throw withoutDriver(error, this.tenant);
    }
  }

  /** @throws TenantRemovedError once the tenant is closed */
  assertServed(): void {
    this.closing.signal.throwIfAborted();
  }

  /** Returns the error of all further calls. */
  close(): TenantRemovedError {
    const reason = new TenantRemovedError(this.tenant);
    this.closing.abort(reason);
    return reason;
  }
}
