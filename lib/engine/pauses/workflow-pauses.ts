import type { ActionNote, WorkflowPause, WorkflowPauseStore } from '../../store/port/index.js';
import type { ClaimTable } from '../claims/claim-table.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { TaskCompleter } from '../execution/task-completer.js';
import type { ProcessServices } from '../process-services.js';
import type { PausedWorkflows } from '../definitions/paused-workflows.js';

export interface WorkflowPausesParts {
  readonly address: string;
  readonly store: { readonly pauses: WorkflowPauseStore };
  readonly paused: PausedWorkflows;
  readonly catalog: Pick<DefinitionCatalog, 'pausesChanged'>;
  readonly claims: Pick<ClaimTable, 'all'>;
  readonly completer: Pick<TaskCompleter, 'giveBack'>;
  readonly services: Pick<ProcessServices, 'notifyPauses'>;
  /** Called when tasks may be due that no process has claimed. */
  readonly wakeWorkers: () => void;
}

/**
 * Pauses of whole workflows. The rows say which workflows are paused. Each process has a copy of them in memory, and claims
 * no task of these workflows. It reads the rows when it opens the tenant, when another process notifies it of a change, and in a
 * pass of the sweep ({@link PausePass}).
 *
 * Reads follow one another, so that an older reply never replaces a newer one.
 */
export class WorkflowPauses {
  /** Whether the copy may be out of date, because a read has failed. */
  isDoubtful = false;
  private reading: Promise<unknown> = Promise.resolve();
  private changes = 0;

  constructor(private readonly parts: WorkflowPausesParts) {}

  /** The pause of a workflow, as far as this process knows. */
  get(workflow: string): WorkflowPause | undefined {
    return this.parts.paused.get(workflow);
  }

  /** Whether a workflow is paused, as far as this process knows. */
  get areSome(): boolean {
    return this.parts.paused.areSome;
  }

  /** Grows with each change of the copy, and with each change of the rows by this process. */
  get version(): number {
    return this.changes;
  }

  /** Resolves when this process claims no more tasks of the workflow. Other processes are notified. */
  async pause(workflow: string, reason: string | null, by?: ActionNote | null): Promise<void> {
    await this.parts.store.pauses.pause(workflow, reason, by);
    await this.changed();
  }

  async resume(workflow: string, by?: ActionNote | null): Promise<void> {
    await this.parts.store.pauses.resume(workflow, by);
    await this.changed();
  }

  list(): Promise<WorkflowPause[]> {
    return this.parts.store.pauses.list();
  }

  /** Call when another process has changed the pauses. Never rejects. */
  async changedElsewhere(): Promise<void> {
    await this.read().catch(() => undefined);
  }

  /**
   * Takes what a statement for many tenants has read.
   *
   * @param version - {@link version} before the read; a reply that is older than the copy is dropped
   */
  found(pauses: readonly WorkflowPause[], version: number): void {
    if (version === this.changes) this.apply(pauses);
  }

  private async changed(): Promise<void> {
    this.changes++;
    this.parts.services.notifyPauses(this.parts.address);
    await this.read();
  }

  private read(): Promise<void> {
    const next = this.reading
      .catch(() => undefined)
      .then(async () => this.apply(await this.list()))
      .catch((error: unknown) => {
        this.isDoubtful = true;
        throw error;
      });
    this.reading = next;
    return next;
  }

  private apply(pauses: readonly WorkflowPause[]): void {
    const { paused, catalog, wakeWorkers } = this.parts;
    this.changes++;
    this.isDoubtful = false;
    if (!paused.replace(pauses)) return;
    catalog.pausesChanged();
    this.giveBackUnstarted();
    wakeWorkers();
  }

  /** Gives back the claims of paused workflows whose handlers have not begun. Later claims are given back as they come. */
  private giveBackUnstarted(): void {
    const { paused, claims, completer } = this.parts;
    if (!paused.areSome) return;
    for (const claim of claims.all()) {
      if (claim.stage === 'waiting' && paused.has(claim.definition.workflow.name)) {
        completer.giveBack(claim);
      }
    }
  }
}
