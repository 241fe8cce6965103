import { expect } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { contextValue } from '../../../lib/workflow/index.js';
import { aborted, gate, type Gate } from '../../support/gate.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Stoppable } from './stoppable.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';

export type Handler = (context: TaskContext) => unknown;
export type Who = 'zombie' | 'survivor';

/** Two processes on one schema; what the task `only` does is each one's own. */
export class Scene {
  readonly begun: { who: Who; signal: AbortSignal }[] = [];
  readonly lost: string[] = [];
  /** Of each handler of `beside` in the zombie: whether it was told that it has lost its claim. */
  readonly besides: boolean[] = [];
  readonly free: Gate = gate();
  handlers: Record<Who, Handler> = { zombie: () => undefined, survivor: () => undefined };
  zombie!: OpenTenant;
  survivor!: OpenTenant;
  process!: Stoppable;
  other!: Stoppable;

  /** @param survivorWaits - the survivor claims nothing until `survivor.host.startClaiming()` */
  static async open(survivorWaits = false): Promise<Scene> {
    const scene = new Scene();
    const schema = freshSchema();
    scene.zombie = await openTenant(scene.workflows('zombie'), { schema, shutdownTimeoutMs: 50 });
    scene.process = new Stoppable(scene.zombie);
    await scene.zombie.query('CREATE TABLE effect (who text)');
    scene.zombie.runner.events$.subscribe(({ type }) => {
      if (type === 'claim.lost') scene.lost.push(type);
    });
    scene.survivor = await openTenant(scene.workflows('survivor'), {
      schema,
      ...(survivorWaits ? { claiming: false } : {}),
    });
    scene.other = new Stoppable(scene.survivor);
    return scene;
  }

  private workflows(who: Who): WorkflowDefinition[] {
    const run = (context: TaskContext): object | Promise<object> => {
      this.begun.push({ who, signal: context.signal });
      return this.handlers[who](context) as Promise<object>;
    };
    return [
      defineWorkflow('plain').task('only', run).task('after', { dependsOn: ['only'] }, () => ({ after: true })).build(), // prettier-ignore
      defineWorkflow('beside')
        .task('only', async ({ signal }) => {
          if (who === 'survivor') return;
          await aborted(signal);
          this.besides.push((signal.reason as { code?: string }).code === 'CLAIM_LOST');
        })
        .build(),
      defineWorkflow('transactional').task('only', { transactional: true }, run).build(),
      defineWorkflow('decided')
        .task('first', () => ({ first: 1 }))
        .task('only', { dependsOn: ['first'], when: contextValue('wanted', 'exists') }, run)
        .build(),
      defineWorkflow('leaves')
        .task('a', { retry: { maxAttempts: 1 } }, run)
        .task('b', { retry: { maxAttempts: 1 } }, run)
        .build(),
    ];
  }

  begins(who: Who): number {
    return this.begun.filter((begin) => begin.who === who).length;
  }

  /** The zombie's lease is a process's whose lock is nowhere, so the survivor takes what it holds. */
  async giveUp(): Promise<void> {
    await this.zombie.query(
      `UPDATE cloacina_runner_lease SET process_id = gen_random_uuid(), lock_session = '1:1' WHERE instance_id = $1`,
      [this.zombie.engine.lease.instanceId],
    );
    await this.recovered(1);
  }

  /** Waits until so many claims have been taken in all; the survivor's own passes may be first. */
  async recovered(count: number): Promise<void> {
    await this.survivor.recovery.run();
    await waitFor(async () => (await this.recoveries()) >= count);
  }

  private async recoveries(): Promise<number> {
    const taken = `SELECT FROM cloacina_recovery_event WHERE previous_owner IS NOT NULL`;
    return (await this.zombie.query(taken)).length;
  }

  /** All that a write could change. */
  async rows(): Promise<unknown> {
    const tables = [
      'workflow_execution',
      'task_execution',
      'task_step',
      'execution_event',
      'recovery_event',
    ];
    const all: unknown[] = [await this.zombie.query('SELECT * FROM effect')];
    for (const table of tables) {
      all.push(await this.zombie.query(`SELECT * FROM cloacina_${table} t ORDER BY t::text`));
    }
    return all;
  }

  async hold(): Promise<object> {
    await this.free.passed;
    return { by: 'survivor' };
  }

  async executions(where: string): Promise<number> {
    return (await this.survivor.query(`SELECT FROM cloacina_workflow_execution WHERE ${where}`))
      .length;
  }

  /** The tasks that wait are due, and have been lost twice. */
  lostTwice = async (): Promise<void> => {
    await this.zombie.query(
      `WITH lost AS (
         UPDATE cloacina_task_execution
         SET recovery_attempts = 2, claim_token = ${2 * FIRST_TOKEN + 1}, run_at = clock_timestamp()
         WHERE status = 'Ready' RETURNING execution_id, task_no)
       INSERT INTO cloacina_recovery_event (execution_id, task_no, kind, cause)
       SELECT execution_id, task_no, 'recovered', 'lockGone' FROM lost, generate_series(1, 2)`,
    );
  };

  /** What the zombie had to say has been answered. */
  async settled(): Promise<void> {
    await waitFor(() => !this.zombie.engine.isBusy && this.process.underWay === 0);
  }

  /** The zombie lives again: it works on new things, and nobody takes them from it. */
  async goesOn(): Promise<void> {
    const [before, taken] = [this.begun.length, await this.recoveries()];
    this.handlers = { zombie: () => undefined, survivor: () => undefined };
    await this.zombie.runner.execute('plain');
    expect(this.begun.length).toBe(before + 1);
    await this.survivor.recovery.run();
    expect(await this.recoveries()).toBe(taken);
  }
}
