import type { Platform } from '../boot/platform.js';
import type { ConfigurationCheck } from '../boot/configuration-check.js';
import { systemClock, type Clock } from '../runtime/clock.js';
import type { Clocks } from '../store/postgres/clocks.js';
import { ApplicationHooks } from '../tenants/hosting/application-hooks.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import { TenantManager } from '../tenants/hosting/tenant-manager.js';
import type { ResolvedTenantOptions } from '../options/index.js';
import { CrashSwitch } from './crash-switch.js';
import { forwarding } from './forwarding.js';
import { LoneTasks } from './lone-tasks.js';
import { MemoryStorage } from './memory-storage.js';
import { PostgresStorage } from './postgres-storage.js';
import { crashed, ProcessLife } from './process-life.js';
import { TaskMocks, TaskSwitches } from './task-switches.js';
import { TestClock, type ClockOwner } from './test-clock.js';
import { AddedWorkflows, type ProcessStorage, type TestStorage } from './test-storage.js';
import { TestTimeline } from './test-timeline.js';
import type { ResolvedTestingOptions } from './testing-options.js';

/** The value of `random()`, such as the jitter of retries. */
const CHANCE = 0.5;

/** A process of the test, with what belongs to it. */
interface TestProcess {
  readonly life: ProcessLife;
  readonly manager: TenantManager;
  readonly storage: ProcessStorage;
}

/** The end of a dead process, which its connections' end follows. */
interface DeadProcess extends TestProcess {
  readonly gone: Promise<void>;
}

/** The owner of the database's clock, which sets no timers. */
const DATABASE: ClockOwner = { isDead: false, begin: () => () => undefined };

/**
 * What the application of one test runs on: a clock, a storage, and one process at a time, which crashes and restarts as the
 * test says. Nest gets a manager that passes on to the one of the living process.
 */
export class TestHarness implements Platform {
  readonly clock: TestClock;
  readonly clocks: Clocks;
  readonly mocks = new TaskMocks();
  readonly lone = new LoneTasks();
  readonly added = new AddedWorkflows();
  readonly crashSwitch = new CrashSwitch(() => this.kill());
  private readonly timeline: TestTimeline;
  private readonly storage: TestStorage;
  private readonly tenants: ResolvedTenantOptions[] = [];
  private readonly dead: DeadProcess[] = [];
  private boot: ConfigurationCheck | undefined;
  private process: TestProcess | undefined;
  private closing: Promise<void> | undefined;

  constructor(private readonly options: ResolvedTestingOptions) {
    this.clock = new TestClock(options.startsAt, CHANCE);
    this.storage =
      options.store === 'memory'
        ? new MemoryStorage(this.clock.of(DATABASE), this.added)
        : new PostgresStorage(options.startsAt, this.added);
    this.timeline = new TestTimeline({
      options,
      clock: this.clock,
      storage: this.storage,
      settle: () => this.settle(),
      isAwaited: () =>
        !this.isDown && this.living.manager.list().some(({ engine }) => engine.waiters.size > 0),
    });
    this.clocks = { process: applicationClock(this.clock), database: this.storage.sqlClock };
  }

  createManager(boot: ConfigurationCheck): TenantManager {
    this.boot = boot;
    boot.hooks.listeners.add({
      names: ['task.ended', 'task.retrying', 'task.suspended', 'task.deferred'],
      receive: (event) => {
        if ('task' in event) this.crashSwitch.strikes('record', event);
      },
    });
    this.process = this.newProcess(boot);
    const { manager } = this.process;
    return forwarding(
      manager,
      this.towards(() => this.living.manager),
      {
        openTenant: (options) => this.openTenant(options),
        startClaiming: () => this.timeline.driven(this.living.manager.startClaiming()),
        drain: () =>
          this.isDown ? Promise.resolve() : this.timeline.driven(this.living.manager.drain()),
        close: () => this.end(),
      },
    );
  }

  /** Closes the processes, and drops what the test has stored. */
  end(): Promise<void> {
    return (this.closing ??= this.close());
  }

  /** Whether the process has crashed, and was not started again. */
  get isDown(): boolean {
    return this.process === undefined || this.process.life.isDead;
  }

  get manager(): TenantManager {
    return this.living.manager;
  }

  get registry(): ConfigurationCheck['registry'] {
    if (this.boot === undefined) throw crashed('Reading the workflows');
    return this.boot.registry;
  }

  /** Kills the process: nothing that it has in memory gets any further. What it has stored stays. */
  kill(): void {
    const { process } = this;
    if (process === undefined || process.life.isDead) return;
    process.life.kill();
    this.clock.drop(process.life);
    for (const { tenant, engine } of process.manager.list()) {
      tenant.runner.closed();
      // The contexts of the handlers that run refuse steps and waits from now on.
      engine.claims.loseHeld(engine.claims.all());
      engine.close();
    }
    this.dead.push({ ...process, gone: process.storage.cut() });
  }

  /** Boots another process on the same storage. */
  async restart(): Promise<void> {
    this.kill();
    await Promise.all(this.dead.map(({ gone }) => gone));
    if (this.boot === undefined) throw crashed('Restarting');
    const { manager } = (this.process = this.newProcess(this.boot));
    await this.timeline.driven(
      Promise.all(this.tenants.map((options) => manager.openTenant(options))),
    );
    await this.timeline.driven(manager.startClaiming());
    await this.settle();
  }

  /** Resolves when there is nothing left to do at this time. */
  async settle(): Promise<void> {
    await this.process?.life.idle();
  }

  /** See {@link TestTimeline.moveTo}. */
  moveTo(end: number, until?: () => boolean): Promise<void> {
    return this.timeline.moveTo(end, until);
  }

  private get living(): TestProcess {
    if (this.process === undefined || this.process.life.isDead) throw crashed('This call');
    return this.process;
  }

  private newProcess(boot: ConfigurationCheck): TestProcess {
    const life = new ProcessLife(this.options.handlerWaitMs, () => this.timeline.skipSoon());
    const storage = this.storage.of(life);
    const switches = new TaskSwitches({
      life,
      hooks: boot.hooks,
      mocks: this.mocks,
      lone: this.lone,
      crash: this.crashSwitch,
    });
    const clocks: Clocks = {
      process: this.clock.of(life),
      upkeep: this.clock.of(life, true),
      database: this.storage.sqlClock,
    };
    const hooks = new ApplicationHooks(boot.hooks.listeners, switches);
    const manager = new TenantManager(
      boot.registry,
      boot.shared.maxConcurrentTasks,
      hooks,
      clocks,
      storage,
    );
    return { life, manager, storage };
  }

  private async openTenant(options: ResolvedTenantOptions): Promise<Tenant> {
    await this.storage.prepare(options);
    this.tenants.push(options);
    const tenant = await this.timeline.driven(this.living.manager.openTenant(options));
    const current = (): Tenant => this.living.manager.find(options.tenant).tenant;
    return {
      ...tenant,
      runner: forwarding(
        tenant.runner,
        this.towards(() => current().runner),
      ),
      recovery: forwarding(
        tenant.recovery,
        this.towards(() => current().recovery),
      ),
    };
  }

  private towards<T>(current: () => T): { current: () => T; isDown: () => boolean } {
    return { current, isDown: () => this.isDown };
  }

  private async close(): Promise<void> {
    const { process } = this;
    if (process !== undefined && !process.life.isDead) {
      await this.timeline.driven(process.manager.close());
      process.life.kill();
      this.clock.drop(process.life);
    }
    for (const { manager, gone } of this.dead) {
      await gone;
      for (const runtime of manager.list()) {
        await runtime.close();
        await runtime.group.close();
      }
    }
    await this.storage.close();
  }
}

/**
 * The clock of what Nest injects beside the manager. Boot and shutdown wait in real time. The warning that an application
 * without shutdown hooks gets has no place in a test.
 */
function applicationClock(clock: TestClock): Clock {
  return {
    ...systemClock,
    now: () => clock.now(),
    wallTime: () => clock.date.getTime(),
    timer: () => ({ cancel: () => undefined }),
  };
}
