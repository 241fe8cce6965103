import type { OpenTenant } from '../../support/open-tenant.js';
import { openTenant } from '../../support/open-tenant.js';
import { databaseUrl } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { installAudit } from '../workload/audit.js';
import type { ReadRows } from '../workload/history.js';
import { randomFrom } from '../workload/random.js';
import { buildWorkflow } from './build-workflow.js';
import type { Control } from './controls.js';
import { generatePrograms } from './generate.js';
import { brokenLaws, WAITS_FOR_NOTHING } from './laws.js';
import { TELLER, type Program } from './program.js';
import { ProgramProcesses } from './program-processes.js';
import { World } from './world.js';

export interface ProgramRunOptions {
  readonly schema: string;
  readonly seed: number;
  /** How many are generated, or which they are. Default: 14. */
  readonly programs?: number | readonly Program[];
  readonly leaseDurationMs?: number;
  readonly without?: Control;
  readonly cancels?: number;
  readonly pauses?: number;
  readonly sendsByWorkers?: boolean;
}

const STATE = `SELECT (count(*) FILTER (WHERE completed_at IS NULL))::integer AS open,
    (count(*) FILTER (WHERE completed_at IS NOT NULL AND unsettled <> 0))::integer AS unsettled,
    count(*)::integer AS known,
    (SELECT count(*)::integer FROM cloacina_signal WHERE NOT delivered) AS undelivered
  FROM cloacina_workflow_execution`;
type State = Readonly<Record<'open' | 'unsettled' | 'known' | 'undelivered', number>>;

const OPEN_TASKS = `SELECT x.workflow, x.input ->> 'path' AS path, x.status AS execution, t.execution_id, t.task_no, t.status,
    t.run_at, t.wakes, t.paused, t.owner IS NOT NULL AS claimed,
    (SELECT json_agg(to_jsonb(s) - 'execution_id' ORDER BY s.started_at) FROM cloacina_task_step s
     WHERE s.execution_id = t.execution_id AND s.task_no = t.task_no AND (s.status = 'Open' OR s.kind <> 'step')) AS waits,
    (SELECT json_agg(m ORDER BY m.id) FROM cloacina_signal m
     WHERE m.execution_id = t.execution_id OR m.key LIKE (x.input ->> 'path') || '%') AS mail
  FROM cloacina_task_execution t JOIN cloacina_workflow_execution x ON x.id = t.execution_id
  WHERE x.completed_at IS NULL AND t.completed_at IS NULL ORDER BY x.created_at, t.task_no LIMIT 20`;

/** Random programs, the processes that run them, the world around them, and the check of what comes of it. */
export class ProgramRun {
  private constructor(
    private readonly client: OpenTenant,
    readonly processes: ProgramProcesses,
    readonly world: World,
  ) {}

  static async open(options: ProgramRunOptions): Promise<ProgramRun> {
    const { schema, seed, without, leaseDurationMs = 4_000 } = options;
    const given = options.programs ?? 14;
    const programs = typeof given === 'number' ? generatePrograms(seed, given) : given;
    const refuse = (): never => {
      throw new Error('This process runs no tasks.');
    };
    const client = await openTenant(
      [TELLER, ...programs].map((each) => buildWorkflow(each, { handle: refuse, tell: refuse })),
      { schema, maxConcurrentTasks: 0, leaseDurationMs, maxRecoveryAttempts: 1_000 },
    );
    await client.query('CREATE TABLE effect (execution_id uuid, name text, value text)');
    await installAudit((text) => client.query(text));
    const settings = { url: databaseUrl(), schema, programs, leaseDurationMs };
    const processes = new ProgramProcesses({
      ...settings,
      ...(without === undefined ? {} : { without }),
    });
    const { cancels = 0.04, pauses = 0.08, sendsByWorkers = false } = options;
    const random = randomFrom(seed + 1);
    const world = new World(client, processes, programs, {
      random,
      cancels,
      pauses,
      sendsByWorkers,
    });
    world.begin();
    return new ProgramRun(client, processes, world);
  }

  /** Waits until nothing is left to do; says how many executions have ended. */
  async settle(deadline: number): Promise<number> {
    let last: unknown;
    try {
      const ended = await waitFor(
        async () => {
          const [state] = await this.read<State>(STATE);
          last = { ...state, stuck: await this.stuck() };
          if (this.world.failures.length > 0) return -1;
          // Children that were started last may need messages yet.
          if (state === undefined || !this.world.isIdle || state.known !== this.world.knows)
            return 0;
          const { open, unsettled, undelivered, known } = state;
          return open + unsettled + undelivered === 0 ? known : 0;
        },
        { deadline, every: 100 },
      );
      if (ended < 0) throw new Error(this.world.failures.map(String).join('\n'));
      return ended;
    } catch (error) {
      const open = JSON.stringify(await this.read(OPEN_TASKS), undefined, 1);
      const text = `Not all comes to its end: ${JSON.stringify(last)}\n${open}`;
      throw new Error(text, { cause: error });
    }
  }

  /** What waits for something that has happened, in one snapshot; in sentences. */
  async stuck(): Promise<string[]> {
    const rows = await this.read<{ id: string; what: string }>(WAITS_FOR_NOTHING);
    return rows.map((row) => `${row.id} waits for ${row.what}: ${JSON.stringify(row)}`);
  }

  /** Ends all that runs in good order, and checks what came of it. */
  async violations(): Promise<string[]> {
    const { world, processes } = this;
    world.end();
    await waitFor(() => world.isIdle, { what: 'the end of the world' });
    await this.deadLeasesEnded();
    await processes.close();
    const wrong = await brokenLaws(this.read, {
      programs: this.world.programs,
      started: world.started,
      cancelling: world.cancelling,
      cancelled: world.cancelled,
      sent: world.sent,
      notes: processes.notes(),
      zombies: processes.zombies,
    });
    return [...world.failures.map(String), ...wrong];
  }

  async close(): Promise<void> {
    this.world.end();
    await this.processes.remove();
    await this.client.close();
  }

  readonly read: ReadRows = <R extends object>(text: string) => this.client.query<R>(text);

  /** A lease of a dead process takes the others a second look at its lock. One that stays is told by the check. */
  private async deadLeasesEnded(): Promise<void> {
    const pids = this.processes.living.map(({ pid }) => `%:${pid}`);
    const dead = `SELECT FROM cloacina_runner_lease WHERE NOT name LIKE ANY ($1::text[])`;
    await waitFor(async () => (await this.client.query(dead, [pids])).length === 0, {
      deadline: 20_000,
      every: 50,
    }).catch(() => undefined);
  }
}
