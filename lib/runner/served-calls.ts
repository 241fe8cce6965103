import { TenantRemovedError, withoutDriver } from '../errors/index.js';

/** The calls of a runner, which fail with a TenantRemovedError once this process no longer serves the tenant. */
export class ServedCalls {
  private readonly closing = new AbortController();

  constructor(
    private readonly tenant: string,
    /** Waits for a tenant that could not be opened at the boot. Undefined for all others. */
    private readonly whenReachable?: (closed: AbortSignal) => Promise<void>,
  ) {}

  /** Runs a call. It fails too if the tenant is closed before it ends. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.assertServed();
    try {
      // Without the condition, calls of all tenants would begin a turn of the event loop later.
      if (this.whenReachable !== undefined) await this.whenReachable(this.closing.signal);
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
