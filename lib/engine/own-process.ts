import type { Announcement, DueTime, ServingState, TaskKey } from '../store/port/index.js';
import type { ClaimTable } from './claims/claim-table.js';
import { claimKey } from './claims/task-claim.js';
import type { DefinitionCatalog } from './definitions/definition-catalog.js';
import type { EngineState } from './engine-state.js';
import type { HungHandler } from './execution/hung-handlers.js';
import type { Overruns } from './execution/overruns.js';
import type { ProcessServices, TenantSettings } from './process-services.js';

/** What only this process knows of itself in one tenant, at a moment. */
export interface OwnFacts {
  readonly processId: string;
  readonly name: string;
  /** Its handlers that hang. */
  readonly hung: readonly HungHandler[];
  /** Whether it has claimed the task and not called its handler yet. */
  readonly isQueued: (task: TaskKey) => boolean;
  /** Whether the slots of all its tenants together are taken. */
  readonly isFull: boolean;
}

export interface OwnProcessParts {
  readonly services: Pick<ProcessServices, 'clock' | 'identity' | 'slots'>;
  readonly settings: Pick<TenantSettings, 'maxConcurrentTasks'>;
  readonly state: Pick<EngineState, 'name'>;
  readonly catalog: Pick<DefinitionCatalog, 'isOpen' | 'ownIds' | 'ownLimits'>;
  readonly claims: Pick<ClaimTable, 'all'>;
  readonly overruns: Pick<Overruns, 'hungHandlers' | 'isExhausted'>;
}

/** What this process knows of itself in one tenant: for other processes, explanations and health reports. */
export class OwnProcess {
  /** The due times that the latest sweep found, and when, in milliseconds since 1970. Undefined before the first sweep. */
  seenDue: { readonly at: number; readonly due: readonly DueTime[] } | undefined;

  constructor(private readonly parts: OwnProcessParts) {}

  /** Call with what a sweep has found in the tenant. */
  swept(due: readonly DueTime[]): void {
    this.seenDue = { at: this.parts.services.clock.wallTime(), due };
  }

  /** How many tasks of the tenant may run here at a time: with 0 for the process, none, whatever the tenant's own number. */
  get slots(): number {
    const { services, settings } = this.parts;
    return Math.min(settings.maxConcurrentTasks, services.slots.limit);
  }

  /** Whether it takes tasks here. Undefined while it is not open, or has no proof of life. */
  get servingState(): ServingState | undefined {
    const { catalog, state } = this.parts;
    const { name } = state;
    const isLive = name === 'claiming' || name === 'paused' || name === 'draining';
    return catalog.isOpen && isLive ? name : undefined;
  }

  /**
   * What it tells others of itself. Undefined while it has no {@link servingState}, and in a process that can't serve anything
   * here, because it has neither workflows nor slots: that of the command line.
   */
  get announcement(): Omit<Announcement, 'tenant'> | undefined {
    const { servingState: state, slots } = this;
    const { ownIds: definitions, ownLimits: limits } = this.parts.catalog;
    if (state === undefined || (slots === 0 && definitions.length === 0)) return undefined;
    return { state, slots, definitions, limits };
  }

  /** Whether the limit of given-up handlers is reached, so that only a restart frees slots. */
  get needsRestart(): boolean {
    return this.parts.overruns.isExhausted;
  }

  get facts(): OwnFacts {
    const { claims, overruns, services } = this.parts;
    const { processId, name } = services.identity();
    const queued = new Set(
      claims
        .all()
        .filter(({ stage }) => stage === 'waiting')
        .map(({ key }) => key),
    );
    return {
      processId,
      name,
      hung: overruns.hungHandlers(),
      isQueued: (task) => queued.has(claimKey(task)),
      isFull: services.slots.running >= services.slots.limit,
    };
  }
}
