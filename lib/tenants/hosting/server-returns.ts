import { Logger } from '@nestjs/common';
import { describePlace, messageWithoutSecrets } from '../../errors/index.js';
import type { ConnectionGroup } from './connection-group.js';
import { isUnreachable } from './tenant-arrival.js';
import type { TenantBootstrapper } from './tenant-bootstrapper.js';
import type { TenantDiscovery } from './tenant-discovery.js';
import type { TenantRuntime } from './tenant-runtime.js';

/** Pause before another attempt after a failure that waiting for the server does not mend, in milliseconds. */
const RETRY_MS = 15_000;

export interface ServerReturnsParts {
  readonly opener: Pick<TenantBootstrapper, 'activate' | 'start'>;
  /** Aborted when the shutdown begins, or when the boot fails. */
  readonly stopping: AbortSignal;
}

/**
 * Opens what the boot left out, because its server could not be reached. Each tenant, and each discovery, waits for the server
 * by itself, and goes on where it stopped: migrations, then, once the application claims, activation.
 */
export class ServerReturns {
  private readonly logger = new Logger('CloacinaTenants');
  private readonly warned = new Set<ConnectionGroup>();
  private readonly failed = new Set<string>();
  private readonly bringing = new WeakMap<TenantRuntime, Promise<void>>();
  private begin: () => void = () => undefined;
  private readonly claiming: Promise<void>;

  constructor(private readonly parts: ServerReturnsParts) {
    this.claiming = new Promise((resolve) => {
      this.begin = resolve;
    });
  }

  /** Call when the application has booted, so that its tenants claim. */
  startClaiming(): void {
    this.begin();
  }

  /** Brings a tenant up that could not be opened, or not activated. Never rejects. */
  bringUp(runtime: TenantRuntime): Promise<void> {
    const done = this.bring(runtime);
    this.bringing.set(runtime, done);
    return done;
  }

  /**
   * Waits until a tenant that has left is not brought up any more. Otherwise a migration that is under way could make the schema
   * again after it was dropped.
   */
  async leave(runtime: TenantRuntime): Promise<void> {
    await this.bringing.get(runtime);
  }

  private async bring(runtime: TenantRuntime): Promise<void> {
    this.warn(runtime.group);
    const { arrival, tenant, left } = runtime;
    if (arrival?.isAway === true) {
      const reached = await this.persistently(
        runtime,
        () => arrival.reach(left),
        (error) => arrival.failed(error),
      );
      if (!reached) return;
      arrival.arrive();
    }
    await Promise.race([this.claiming, aborted(left)]);
    if (!(await this.persistently(runtime, () => this.parts.opener.activate(runtime, Infinity))))
      return;
    this.back(runtime.group);
    this.logger.log(`Tenant "${tenant.name}": its server is back, and the tenant is served.`);
  }

  /** Connects a discovery to its server, and lets it look. Never rejects. */
  async discover(discovery: TenantDiscovery, group: ConnectionGroup): Promise<void> {
    this.warn(group);
    await this.claiming;
    const { opener, stopping } = this.parts;
    const subject = { group, left: stopping, name: `server ${group.server ?? ''}` };
    const connected = await this.attempts(subject, () =>
      opener.start(group, Infinity, { left: stopping }),
    );
    if (!connected) return;
    this.back(group);
    discovery.start();
  }

  private persistently(
    { group, left, tenant }: TenantRuntime,
    work: () => Promise<void>,
    onFailure?: (error: unknown) => void,
  ): Promise<boolean> {
    return this.attempts({ group, left, name: `tenant "${tenant.name}"` }, work, onFailure);
  }

  /** Repeats `work` until it succeeds. False if the process or the tenant stops before. */
  private async attempts(
    subject: { readonly group: ConnectionGroup; readonly left: AbortSignal; readonly name: string },
    work: () => Promise<void>,
    onFailure?: (error: unknown) => void,
  ): Promise<boolean> {
    const { group, name } = subject;
    const over = AbortSignal.any([this.parts.stopping, subject.left]);
    const isOver = (): boolean => over.aborted;
    while (!isOver()) {
      try {
        await work();
        this.failed.delete(name);
        return !isOver();
      } catch (error) {
        if (isOver()) return false;
        onFailure?.(error);
        this.report(name, error);
        await group.clocks.process.sleep(RETRY_MS, over);
      }
    }
    return false;
  }

  private warn(group: ConnectionGroup): void {
    if (this.warned.has(group)) return;
    this.warned.add(group);
    this.logger.warn(
      `Database ${describePlace(group.place)} could not be reached. The application boots without it, and serves its tenants as ` +
        'soon as it answers. Set requireAll: true to fail the boot instead.',
    );
  }

  private back(group: ConnectionGroup): void {
    if (this.warned.delete(group))
      this.logger.log(`Database ${describePlace(group.place)} is back.`);
  }

  /** The wait for the server is in the log already, and other failures are logged once. */
  private report(name: string, error: unknown): void {
    if (this.failed.has(name)) return;
    this.failed.add(name);
    const message = `Could not open ${name}; it will be tried again: ${messageWithoutSecrets(error)}`;
    if (isUnreachable(error)) this.logger.warn(message);
    else this.logger.error(message);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
