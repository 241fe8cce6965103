import type { TestChild } from '../../support/child-process.js';
import { waitFor } from '../../support/wait-for.js';
import { FaultyServer } from '../server/faulty-server.js';
import type { Entry } from './handler.js';
import type { PlannedTask, PlannedWorkflow } from './plan.js';
import { Workload, type WorkloadOptions } from './workload.js';

/** A bound on what has to happen while a process lives, in milliseconds: far beyond what it takes. */
export const BOUND_MS = 40_000;

let schemas = 0;

/** A workload on a server of its own, and what tests of one fault do with it step by step. */
export class Scene extends Workload {
  readonly schema: string;

  constructor(
    readonly server: FaultyServer,
    options: Partial<WorkloadOptions> & Pick<WorkloadOptions, 'seed'>,
  ) {
    const schema = `scene_${++schemas}`;
    super({
      url: server.url,
      directUrl: () => server.directUrl,
      schema,
      leaseDurationMs: 6_000,
      ...options,
    });
    this.schema = schema;
  }

  /** As test suites do between two tests: all of the library's tables but its history, and the test's own. */
  async truncate(): Promise<void> {
    const [row] = await this.query<{ tables: string }>(
      `SELECT string_agg(quote_ident(tablename), ', ') AS tables FROM pg_tables
       WHERE schemaname = current_schema() AND tablename <> 'cloacina_migrations'`,
    );
    await this.query(`TRUNCATE ${row?.tables} RESTART IDENTITY CASCADE`);
  }

  /** In a schema that was made again the test's own tables are missing. */
  async prepareAgain(): Promise<void> {
    const [row] = await this.query<{ there: boolean }>(
      `SELECT to_regclass('claim_audit') IS NOT NULL AS there`,
    );
    if (row?.there === false) await this.prepare();
  }

  /** Starts one there; its id, once it is accepted. */
  async startOne(child: TestChild, workflow: string): Promise<string> {
    const before = new Set(this.accepted().keys());
    this.order(child, { kind: 'start', workflow, count: 1 });
    return waitFor(
      () => {
        const refused = this.folder.refused();
        const found = [...this.accepted()].find(
          ([id, name]) => name === workflow && !before.has(id),
        );
        if (found === undefined && refused.length > 0) throw new Error(JSON.stringify(refused));
        return found?.[0];
      },
      { deadline: BOUND_MS, what: `a start of ${workflow}` },
    );
  }

  /** A run of the task in that process, or in any. */
  async hasBegun(executionId: string, task: string, by?: string): Promise<Entry> {
    return waitFor(
      () =>
        this.entries().find(
          (entry) =>
            entry.what === 'begun' &&
            entry.executionId === executionId &&
            entry.task === task &&
            (by === undefined || entry.by === by),
        ),
      { deadline: BOUND_MS, what: `a run of ${task} of ${executionId}` },
    );
  }

  /** Another run of the same task. */
  async hasBegunAgain({ executionId, task, run }: Entry): Promise<void> {
    await waitFor(
      () =>
        this.entries().some(
          (entry) =>
            entry.what === 'begun' &&
            entry.executionId === executionId &&
            entry.task === task &&
            entry.run !== run,
        ),
      { deadline: BOUND_MS, what: `another run of ${task} of ${executionId}` },
    );
  }

  async hasEnded({ run }: Entry): Promise<void> {
    await waitFor(
      () => this.entries().some((entry) => entry.what === 'ended' && entry.run === run),
      {
        deadline: BOUND_MS,
        what: `the end of run ${run}`,
      },
    );
  }

  async statusIs(id: string, status: string): Promise<void> {
    await this.rowIs('cloacina_workflow_execution WHERE id = $1 AND status = $2', [id, status]);
  }

  async taskIs(id: string, taskNo: number, status: string): Promise<void> {
    const rows = 'cloacina_task_execution WHERE execution_id = $1 AND task_no = $2 AND status = $3';
    await this.rowIs(rows, [id, taskNo, status]);
  }

  /** But for executions in which a handler's own statement was refused: that was its attempt. */
  async violationsButOwn(): Promise<string[]> {
    const own = this.entries().filter(({ what }) => what === 'threw');
    const violations = await this.violations();
    return violations.filter(
      (text) => !own.some(({ executionId }) => text.startsWith(executionId)),
    );
  }

  /** Does what `steps` does; its failure says what the processes printed and how far each task has come. */
  async play(steps: () => Promise<void>): Promise<void> {
    try {
      await steps();
    } catch (error) {
      const told = this.workers.map(({ output, pid }) => `--- ${pid}\n${output.slice(-4_000)}`);
      const stuck = await this.query(
        `SELECT t.execution_id, x.workflow, x.status AS execution, t.task_no, t.status, t.owner,
           l.expires_at IS NOT NULL AS leased
         FROM cloacina_task_execution t JOIN cloacina_workflow_execution x ON x.id = t.execution_id
         LEFT JOIN cloacina_runner_lease l ON l.instance_id = t.owner
         WHERE x.completed_at IS NULL ORDER BY 1, 4 LIMIT 30`,
      ).catch(() => 'unknown');
      throw new Error(
        `${(error as Error).message}\nOpen tasks: ${JSON.stringify(stuck)}\n${told.join('\n')}`,
        { cause: error },
      );
    } finally {
      await Promise.all(this.workers.filter(({ running }) => running).map((child) => child.kill()));
      this.remove();
    }
  }

  private async rowIs(from: string, values: readonly unknown[]): Promise<void> {
    await waitFor(async () => (await this.query(`SELECT FROM ${from}`, values)).length > 0, {
      deadline: BOUND_MS,
      what: `${from} ${values.join()}`,
    });
  }
}

/** A workflow of tasks that follow each other. */
export function chainOf(
  name: string,
  ...tasks: readonly (Partial<PlannedTask> & Pick<PlannedTask, 'name'>)[]
): PlannedWorkflow {
  return {
    name,
    tasks: tasks.map((task, no) => ({
      kind: 'plain',
      dependsOn: no === 0 ? [] : [tasks[no - 1]?.name ?? ''],
      ...task,
    })),
  };
}

/** One line of figures, for the report of the run. */
export function report(what: string, figures: object): void {
  process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`);
}
