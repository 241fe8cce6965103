import type { WorkflowPause } from '../../store/port/index.js';

/** The workflows of a tenant that are paused, as far as this process knows. All parts that claim ask it. */
export class PausedWorkflows {
  private byName: ReadonlyMap<string, WorkflowPause> = new Map();

  get(workflow: string): WorkflowPause | undefined {
    return this.byName.get(workflow);
  }

  has(workflow: string): boolean {
    return this.byName.has(workflow);
  }

  get areSome(): boolean {
    return this.byName.size > 0;
  }

  /** Returns whether other workflows are paused than before. */
  replace(pauses: readonly WorkflowPause[]): boolean {
    const before = this.byName;
    this.byName = new Map(pauses.map((pause) => [pause.workflow, pause]));
    return before.size !== this.byName.size || pauses.some(({ workflow }) => !before.has(workflow));
  }
}
